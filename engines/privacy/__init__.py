"""Training preferences: who opted out of training, tenant-wide or for one user."""
