"""The marks of a rehearsal: of its users and tenants, and of the events that it sends."""

DOMAIN = "rehearsal.invalid"
"""Of its users' e-mail addresses; under ``.invalid`` nobody can have one."""

MARK = {"synthetic": "rehearsal"}
"""Entry in the metadata of every page view and click that it sends."""


def is_rehearsal(email: str) -> bool:
    """Whether a user with this address, and so the tenant it signed up, is a rehearsal's."""
    return email.lower().endswith(f"@{DOMAIN}")
