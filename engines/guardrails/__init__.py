"""Guardrails on text: detection only."""
