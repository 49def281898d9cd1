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
    bytes_under_way: int = 16_777_216
    """Bodies of all requests that are not answered yet; more is 503."""
    tenant_bytes_under_way: int = 4_194_304
    """Of these, what a tenant may have; more is 429. Callers without a token together have as much: 503."""
    small_body_bytes: int = 4_096
    """A body up to this is neither refused for the bytes under way nor paced: the connections bound these."""
    tenant_bytes_per_second: int = 1_048_576
    """Pace at which larger bodies of a tenant begin: a mebibyte takes 0.1 to 0.3 s of a core."""
    tenant_burst_bytes: int = 131_072
    """What begins at once after a pause."""
    large_body_bytes: int = 65_536
    """A body over this is parsed and handled alone among those of its tenant."""
    large_bodies: int = 4
    """Such bodies of all tenants at once."""
    caller_requests: int = 128
    """Requests of a tenant that are not answered yet, without a token of an address; more is 429."""
    behind_seconds: float = 0.0015
    """How late the event loop may be before callers take turns."""
    others_seconds: float = 1.0
    """Who has asked within this time is somebody whom others wait for."""
    hashes: int = 1
    """Password hashes at once, in a thread of low priority."""
    hashes_waiting: int = 64
    """Password hashes that wait for their turn; more is 503."""
    free_guesses: int = 5
    """Wrong answers of one address for one account, or for the system key, before it has to wait."""
    guess_seconds: float = 1.0
    """The first wait, doubled with every further wrong answer; an attempt meanwhile is 429."""
    longest_guess_seconds: float = 8.0
    """The longest wait."""
    guesses_forgotten_seconds: float = 300.0
    """Without a further wrong answer all is forgotten after this time."""
    guessers: int = 10_000
    """Addresses and accounts that are remembered; the oldest ones are forgotten first."""
