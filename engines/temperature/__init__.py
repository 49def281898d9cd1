"""Temperature: how far a surface's usage is from its floors and ceilings."""
