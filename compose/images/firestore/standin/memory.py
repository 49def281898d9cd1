"""Memory of the emulator: live heap against the heap's limit, or resident memory where there is no Java."""

import re
import socket
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import NamedTuple

BOUND_SHARE = 0.28
"""Of heap or container: an export takes twice as much again. Measured, see compose/README.md."""
ACCEPT_SHARE = 0.9
"""Of the bound: refused writes are accepted again below it, so that it does not flap."""
EXPORTING_SHARE = 0.85
"""Of heap or container, while an export runs: above it the next writes could end the process."""
GROWTH = 4
"""Bytes of memory for a byte that was written: documents of 1 KB; larger ones take less."""
GROWN_SHARE = 0.03
"""Of heap or container: so much growth is worth a full collection."""
RECHECK_SECONDS = 10.0
"""While writes are refused, between full collections."""
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
TAIL = 8 * 1024

_MAX_HEAP = re.compile(r"Heap Max Capacity: (\d+)([KMG])")
_AFTER_PAUSE = re.compile(r"->(\d+)([KMG])\(\d+[KMG]\)")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Memory(NamedTuple):
    """Bytes in use after the newest collection, and all that there are: of the heap, or of the container."""

    used: int
    limit: int
    taken: int
    """Another number for another measurement."""

    @property
    def bound(self) -> int:
        """From here on writes are refused."""
        return int(self.limit * BOUND_SHARE)


@dataclass
class MemoryWatch:
    """Whether writes must be refused, from what is in use and from the bytes that were written since.

    Only a full collection tells what is live; what is in use after a small one is an upper bound, and while
    an export runs it tells nothing of the data. Then the written bytes speak.
    """

    used: int = 0
    """The last figure that was taken for live."""
    bound: int = 0
    refuse: bool = False
    _written: int = 0
    """Bytes written when ``used`` was taken."""
    _previous: int = 0
    """Bytes written at the look before."""
    _seen: int = 0
    """In use after the last full collection."""
    _taken: int = -1
    _collected_at: float = -inf

    @property
    def in_use(self) -> int:
        """What is shown as in use: while writes are refused, the estimate that refuses them."""
        return max(self.used, self._estimate(self._previous)) if self.refuse else self.used

    def look(self, now: float, found: Memory, written: int, exporting: bool) -> bool:
        """Take in a figure; returns whether a full collection should follow."""
        self.bound = found.bound
        if not found.limit:
            return False
        wants = self._during_export(found, written) if exporting else self._between(now, found, written)
        self._previous, self._taken = written, found.taken
        return wants

    def _estimate(self, written: int) -> int:
        return self.used + GROWTH * (written - self._written)

    def _during_export(self, found: Memory, written: int) -> bool:
        if self._estimate(written) >= self.bound or found.used >= found.limit * EXPORTING_SHARE:
            self.refuse, self._collected_at = True, -inf
        return False

    def _between(self, now: float, found: Memory, written: int) -> bool:
        if found.taken != self._taken and found.used < self._estimate(self._previous):
            self.used, self._written = found.used, self._previous
        if self.refuse:
            return now >= self._collected_at + RECHECK_SECONDS
        grown = found.limit * GROWN_SHARE
        estimate = self._estimate(written)
        by_writes = estimate >= self.bound and estimate - self.used >= grown
        return by_writes or (found.used >= self.bound and found.used - self._seen >= grown)

    def collected(self, now: float, found: Memory, written: int) -> None:
        """Take in the figure after a full collection; ``written`` was counted before it."""
        self._collected_at, self._taken = now, found.taken
        self.used = self._seen = found.used
        self._written, self.bound = written, found.bound
        share = ACCEPT_SHARE if self.refuse else 1.0
        self.refuse = found.used >= found.bound * share > 0


def container_limit() -> int:
    """The container's limit of memory; 0 where it has none."""
    for path in CGROUP_LIMITS:
        try:
            found = path.read_text().strip()
        except OSError:
            continue
        # Without a limit, cgroup v2 says `max` and v1 a number near 2^63.
        return int(found) if found.isdigit() and int(found) < 1 << 60 else 0
    return 0


def resident(process: int) -> int:
    """Resident bytes of a process; 0 once it is gone."""
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def max_heap(log: str) -> int:
    """The heap's limit as the JVM says it at its start; 0 when it has not said it."""
    found = _MAX_HEAP.search(log)
    return _bytes(found) if found else 0


def after_last_pause(log: str) -> int | None:
    """Bytes in use after the newest collection in the log: an upper bound of what is live."""
    found = list(_AFTER_PAUSE.finditer(log))
    return _bytes(found[-1]) if found else None


def _bytes(found: re.Match[str]) -> int:
    return int(found[1]) * _UNITS[found[2]]


def collect_garbage(process: int, seconds: float = 30.0) -> None:
    """Ask the JVM for a full collection, through its own attach socket: no JDK is needed. Raises OSError."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        connection.connect(f"/tmp/.java_pid{process}")
        connection.sendall(b"1\0jcmd\0GC.run\0\0\0")
        while connection.recv(4096):
            pass


class JavaHeap:
    """Live heap of a JVM by its log of collections."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._limit = 0

    def read(self) -> Memory:
        """What is in use after the newest collection, and the limit; zeros until the JVM has said them."""
        try:
            found = self._log.stat()
            with self._log.open("rb") as file:
                if not self._limit:
                    self._limit = max_heap(file.read(TAIL).decode(errors="replace"))
                file.seek(max(0, found.st_size - TAIL))
                text = file.read().decode(errors="replace")
        except OSError:
            return Memory(0, self._limit, 0)
        return Memory(after_last_pause(text) or 0, self._limit, found.st_mtime_ns)
