"""Process configuration: the only package that reads the environment."""
