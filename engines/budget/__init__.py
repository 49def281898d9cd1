"""Budget: usage events, their exact sums at any scale, and the cost of goods."""
