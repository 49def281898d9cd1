"""Rehearsing the onboarding of a tenant over the real HTTP path."""
