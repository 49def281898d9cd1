"""What every engine shares: request context, errors, clock and the document store port."""
