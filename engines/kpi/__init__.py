"""KPI: definitions of what is measured and the corridors it should stay in."""
