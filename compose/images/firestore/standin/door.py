"""The door: nginx in front of the emulator. It closes first at a stop, refuses writes, and counts them."""

import asyncio
import signal
import socket
from pathlib import Path

FOLDER = Path("/tmp/door")
STATUS = FOLDER / "status.json"
COUNTER = FOLDER / "writes.sock"
CONFIGURATION = Path(__file__).with_name("nginx.conf")
CLOSE_SECONDS = 8.0
"""Its own limit for requests under way is 5 s (worker_shutdown_timeout)."""
KINDS = ("volume", "disk", "memory")
"""Why writes may be refused; each has its words in nginx.conf."""

_ESTABLISHED = "01"
_STREAMS_FROM = "0900007F:"
"""127.0.0.9 as the kernel writes it: the source address of streams of writes."""


class _Counter(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.writes = self.bytes = 0

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - the protocol's signature
        self.writes += 1
        self.bytes += int(data.rpartition(b" ")[2])


class Door:
    """The running nginx."""

    def __init__(self) -> None:
        self._counter = _Counter()
        self.process: asyncio.subprocess.Process | None = None
        self.refused: str | None = None

    @property
    def writes(self) -> int:
        """Writes that were finished so far, whatever their outcome."""
        return self._counter.writes

    @property
    def written(self) -> int:
        """Bytes of the requests of these writes."""
        return self._counter.bytes

    @staticmethod
    def prepare() -> None:
        """Make the folder; what an earlier start of the same container left is dropped."""
        FOLDER.mkdir(mode=0o700, exist_ok=True)
        for path in (COUNTER, STATUS, *(_flag(kind) for kind in KINDS)):
            path.unlink(missing_ok=True)

    async def open(self) -> None:
        """Start to listen."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(
            lambda: self._counter, local_addr=str(COUNTER), family=socket.AF_UNIX
        )
        self.process = await asyncio.create_subprocess_exec(
            *("nginx", "-e", "stderr", "-c", str(CONFIGURATION)), start_new_session=True
        )

    async def ended(self) -> int:
        """Wait until it ends by itself; returns its exit code."""
        assert self.process
        return await self.process.wait()

    def refuse(self, kind: str | None) -> None:
        """Refuse writes because of ``kind``, or accept them (None). Holds for the next request."""
        if kind:
            _flag(kind).touch()
        for other in KINDS:
            if other != kind:
                _flag(other).unlink(missing_ok=True)
        self.refused = kind

    def is_streaming(self) -> bool:
        """Whether a stream of writes is open, whose writes are not counted before its end."""
        lines = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
        states = (line.split()[1:4] for line in lines)
        return any(
            local.startswith(_STREAMS_FROM) and state == _ESTABLISHED for local, _remote, state in states
        )

    async def close(self) -> None:
        """Take no new request, let those under way finish; returns when no answer can leave any more."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGQUIT)
        try:
            await asyncio.wait_for(self.process.wait(), CLOSE_SECONDS)
        except TimeoutError:
            self.process.terminate()
            await self.process.wait()
        await self._count_the_rest()

    async def _count_the_rest(self) -> None:
        """Take in what nginx has sent before its end: the loop reads a datagram in each of its turns."""
        counted = -1
        while counted != self._counter.writes:
            counted = self._counter.writes
            await asyncio.sleep(0.02)


def _flag(kind: str) -> Path:
    return FOLDER / f"refuse-{kind}"
