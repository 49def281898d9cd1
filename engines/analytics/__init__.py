"""Analytics events: page views and calls to action."""
