"""Firearms licences: which subject may take which dangerous action."""
