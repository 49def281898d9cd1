"""Bossman: the read-only tenant dashboard."""
