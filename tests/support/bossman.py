"""Bossman as a process of its own, as the image runs it, on a free loopback port."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.app import SIGNING_SECRET
from tests.support.docker import OUTPUT, ROOT, answers, free_port, wait_until

SERVE = """
import json, sys
from engines.__main__ import main
from engines.server.limits import ServerLimits
sys.exit(main('127.0.0.1', int(sys.argv[1]), ServerLimits(**json.loads(sys.argv[2]))))
"""
"""``python -m engines`` with another port and other limits: neither is a setting."""


class Bossman:
    """A process with ``variables`` as its whole environment. Killed and started it keeps its port."""

    def __init__(self, variables: Mapping[str, str], limits: Mapping[str, float] | None = None) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {"PATH": os.environ["PATH"], "AUTH_JWT_SIGNING": SIGNING_SECRET} | dict(variables)
        self._limits = json.dumps(dict(limits or {}))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it serves."""
        OUTPUT.mkdir(exist_ok=True)
        with (OUTPUT / f"bossman-{self.port}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", SERVE, str(self.port), self._limits],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until(lambda: answers(f"{self.url}/livez"), 60, f"Bossman on {self.url}")

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as Docker does."""
        self._end(signal.SIGTERM)

    def peak_megabytes(self) -> float:
        """The most memory that it has had, as the kernel counts it."""
        assert self._process
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found
        return int(found[1]) / 1024

    def _end(self, number: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None


@contextmanager
def bossman(variables: Mapping[str, str], limits: Mapping[str, float] | None = None) -> Iterator[Bossman]:
    """A serving Bossman; its log is kept under test-output."""
    process = Bossman(variables, limits)
    try:
        process.start()
        yield process
    finally:
        process.kill()
