"""SEO configuration of a tenant's pages."""
