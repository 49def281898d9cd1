"""Nexus: where dataset events go."""
