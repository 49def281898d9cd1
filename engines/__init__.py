"""The Northstar engines: the tenant dashboard Bossman and the engines whose state it shows."""
