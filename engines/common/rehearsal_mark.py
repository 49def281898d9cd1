"""The mark of a rehearsal: e-mail addresses in a domain under ``.invalid``, which nobody can have."""

DOMAIN = "rehearsal.invalid"


def is_rehearsal(email: str) -> bool:
    """Whether a user with this address, and so the tenant it signed up, is a rehearsal's."""
    return email.lower().endswith(f"@{DOMAIN}")
