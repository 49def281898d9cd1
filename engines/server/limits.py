"""All bounds of one process, in one place. docs/infra/LIMITS.md has them as a table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerLimits:
    """Bounds of what a process takes from outside. Times in seconds; none of them is a setting.

    They fit together with the container's 384 MB: a body under way takes up to ten times its bytes.
    """

    connections: int = 256
    """Open connections. A newcomer takes the place of an idle or half-sent one; without any it gets 503."""
    refusals: int = 64
    """Of refused connections, how many are kept open until the caller has read the answer."""
    linger_seconds: float = 2.0
    """How long a refused connection is read and what it sends forgotten, so that the answer arrives."""
    head_bytes: int = 32_768
    """Request line and headers together; more is 431."""
    head_lines: int = 100
    """Headers of a request; more is 431."""
    head_seconds: float = 10.0
    """From accept, or from the first byte of a further request, to the end of the head; then 408."""
    body_seconds: float = 30.0
    """From the end of the head to the end of the body; then 408."""
    body_bytes: int = 1_048_576
    """A body; more is 413. Also the limit of a Firestore document: nothing storable is refused here."""
    unread_bytes: int = 4_194_304
    """What is read of a body that was refused already; then the connection is cut."""
    idle_seconds: int = 5
    """A connection between two requests; then it is closed."""
    unread_answer_seconds: float = 30.0
    """How long a caller may leave an answer unread; then the connection is cut."""
