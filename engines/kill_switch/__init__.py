"""Kill switches: what a tenant has turned off, by provider, action or autonomy."""
