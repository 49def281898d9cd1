"""What holds below the framework: the limits of the server, before a token is read."""
