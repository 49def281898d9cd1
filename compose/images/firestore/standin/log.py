"""What the container's log says: one line per message."""

from datetime import UTC, datetime


def say(text: str) -> None:
    """Print a line with the time."""
    print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} firestore: {text}", flush=True)
