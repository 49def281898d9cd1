"""A whole stack in a checkout of its own, driven by the same scripts that people use."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.docker import OUTPUT, ROOT, free_port

UP_SECONDS = 420
COMMAND_SECONDS = 180
DEFAULT_PORT = 8000


def clean_environment() -> dict[str, str]:
    """The caller's environment without what would address another stack or turn colour on."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")} | {
        "CI": "true"
    }


class Stack:
    """A checkout and the stack that its ./scripts/up runs."""

    def __init__(self, path: Path, port: int) -> None:
        self.path = path
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.first_up = ""

    def run(self, *command: str, ok: bool = True, seconds: float = COMMAND_SECONDS) -> str:
        """Run a command in the checkout; returns its output. Fails the test unless it exits 0."""
        code, output = self.outcome(*command, seconds=seconds)
        assert code == 0 or not ok, f"{command} exited {code}:\n{output}"
        return output

    def outcome(self, *command: str, seconds: float = COMMAND_SECONDS) -> tuple[int, str]:
        """Exit code and output of a command in the checkout."""
        done = subprocess.run(
            command,
            cwd=self.path,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        return done.returncode, done.stdout

    def up(self, *arguments: str) -> str:
        return self.run("./scripts/up", *arguments, seconds=UP_SECONDS)

    def compose(self, *arguments: str, ok: bool = True) -> str:
        return self.run("docker", "compose", *arguments, ok=ok)

    def containers(self) -> dict[str, dict[str, Any]]:
        """What Docker knows of each container, by service; finished jobs too."""
        ids = self.compose("ps", "-aq").split()
        found: list[dict[str, Any]] = json.loads(self.run("docker", "inspect", *ids))
        return {item["Config"]["Labels"]["com.docker.compose.service"]: item for item in found}

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=10)

    def demo_login(self) -> dict[str, str]:
        login: dict[str, str] = json.loads((self.path / ".kit/demo-login.json").read_text())
        return login

    def save_logs(self) -> None:
        OUTPUT.mkdir(exist_ok=True)
        logs = self.compose("logs", "--no-color", "--timestamps", ok=False)
        (OUTPUT / f"{self.path.name}.log").write_text(logs)


def copy_checkout(target: Path) -> None:
    """Copy what git would hold, uncommitted changes included: what a clone of this state would get."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


@contextmanager
def checkout(name: str) -> Iterator[Stack]:
    """A fresh checkout with a free port; whatever runs there is wiped at the end, logs are kept."""
    with tempfile.TemporaryDirectory(prefix=f"kit-{name}-") as folder:
        copy_checkout(Path(folder))
        stack = Stack(Path(folder), free_port())
        try:
            yield stack
        finally:
            if (stack.path / ".env").exists():
                stack.save_logs()
                stack.run("./scripts/reset", "--yes", ok=False)
