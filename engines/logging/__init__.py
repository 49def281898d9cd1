"""Dataset logging: the event pipeline and the helpers that feed it."""
