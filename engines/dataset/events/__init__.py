"""Dataset events."""
