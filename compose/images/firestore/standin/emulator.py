"""The emulator's process: Google's jar or hidane, whichever the image holds."""

import asyncio
import http.client
import json
import os
import time
from pathlib import Path

from standin import memory
from standin.memory import Memory

PORT = 8081
DATA = Path("/data")
HIDANE = Path("/emulator/hidane")
JAR = "/emulator/cloud-firestore-emulator.jar"
HEAP_PERCENT = 60
"""Of the container's memory; the rest is the JVM's own, the door and this supervisor."""
HEAP_LOG = Path("/tmp/heap.log")
EXPORT_SECONDS = 300.0
STOP_SECONDS = 10.0
OUT_OF_HEAP = 3
"""Exit code of a JVM with ExitOnOutOfMemoryError."""
KILLED = -9

_JAVA = (
    "java",
    f"-XX:MaxRAMPercentage={HEAP_PERCENT}",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:+StartAttachListener",
    f"-Xlog:gc,gc+init:file={HEAP_LOG}:tags:filecount=1,filesize=1M",
    "-Duser.language=en",
    "-Djava.util.logging.config.file=/etc/emulator-logging.properties",
    "-cp",
    JAR,
    "com.google.cloud.datastore.emulator.firestore.CloudFirestore",
)


class ExportFailed(Exception):
    """The emulator could not export; the text says why."""


class Emulator:
    """One run of the emulator. It listens for the door alone."""

    def __init__(self) -> None:
        self.project = os.environ.get("GOOGLE_CLOUD_PROJECT", "northstar-local")
        self._process: asyncio.subprocess.Process | None = None
        self._heap: memory.JavaHeap | None = None
        self._limit = memory.container_limit()

    async def start(self, export: str | None) -> bool:
        """Start it from an export; returns whether it answers, False when it died first."""
        flags = ["start", "--host=127.0.0.1", f"--port={PORT}", "--database-mode=firestore-native"]
        if export:
            flags.append(f"--import-data={DATA / export}/all/all.overall_export_metadata")
        command = self._command()
        self._process = await asyncio.create_subprocess_exec(*command, *flags, start_new_session=True)
        while self._process.returncode is None:
            if await asyncio.to_thread(_answers):
                return True
            await asyncio.sleep(0.1)
        return False

    def _command(self) -> tuple[str, ...]:
        if HIDANE.exists():
            return (str(HIDANE),)
        HEAP_LOG.unlink(missing_ok=True)
        self._heap = memory.JavaHeap(HEAP_LOG)
        return _JAVA

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.returncode if self._process else None

    @property
    def is_out_of_heap(self) -> bool:
        """Whether it ended because its heap was full."""
        return self.exit_code == OUT_OF_HEAP

    @property
    def is_out_of_memory(self) -> bool:
        """Whether its end looks like that: its heap was full, or the kernel killed it."""
        return self.exit_code in (OUT_OF_HEAP, KILLED)

    async def ended(self) -> int:
        """Wait until it ends; returns its exit code."""
        assert self._process
        return await self._process.wait()

    async def export(self, folder: Path) -> None:
        """Write all data of the project below ``folder``. Raises ExportFailed."""
        await asyncio.to_thread(self._export, folder)

    def _export(self, folder: Path) -> None:
        asked = {
            "database": f"projects/{self.project}/databases/(default)",
            "export_directory": str(folder),
            "export_name": "all",
        }
        try:
            status, text = _call(
                "POST", f"/emulator/v1/projects/{self.project}:export", asked, EXPORT_SECONDS
            )
        except (OSError, http.client.HTTPException) as error:
            raise ExportFailed(f"no answer from the emulator: {error!r}") from error
        if status != http.client.OK:
            raise ExportFailed(f"the emulator answered {status}: {' '.join(text.split())[:300]}")

    def memory(self) -> Memory:
        """What counts against the bound."""
        if self._heap:
            return self._heap.read()
        assert self._process
        return Memory(memory.resident(self._process.pid), self._limit, time.monotonic_ns())

    async def collect_garbage(self) -> None:
        """Make ``memory`` exact, where there is a heap. Raises OSError."""
        if self._heap and self._process:
            await asyncio.to_thread(memory.collect_garbage, self._process.pid)

    async def stop(self) -> None:
        """End it; what it holds in memory is gone."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def _answers() -> bool:
    try:
        return _call("GET", "/", None, 2.0)[0] == http.client.OK
    except (OSError, http.client.HTTPException):
        return False


def _call(method: str, path: str, body: object, seconds: float) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=seconds)
    try:
        connection.request(
            method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()
