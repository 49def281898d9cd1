"""Users, tenants, memberships and the internal tokens."""
