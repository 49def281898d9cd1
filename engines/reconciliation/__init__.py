"""Reconciliation: what was accepted is compared with what the sink holds."""
