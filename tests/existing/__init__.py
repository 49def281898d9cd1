"""A small service that speaks as the existing engines do: their shapes and oddities, nothing of this kit's.

In memory, and none of ``engines`` in it, so that it also runs in an image of its own: what
./scripts/up --bossman is tried with. It lacks /readyz, /healthz, /metrics, /bossman/onboarding and /privacy,
X-Audit-Status, event ids, durable_in, freshness, health and all of the indicator but its three old keys.
"""
