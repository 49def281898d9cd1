"""./scripts/repair-usage before it reaches a container; what runs inside has tests of its own."""

import os
import subprocess

import pytest

from tests.support.docker import ROOT


def outcome(*arguments: str) -> tuple[int, str]:
    ran = subprocess.run(
        [ROOT / "scripts/repair-usage", *arguments],
        env=os.environ | {"DOCKER_HOST": "unix:///nowhere/docker.sock"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 64, "name a --tenant, or --all"),
        (("--help",), 0, "usage: ./scripts/repair-usage --tenant T"),
        (("--tenant", "t_a"), 3, "cure: ./scripts/up"),
    ],
    ids=["nothing", "help", "no_stack"],
)
def test_it_exits_with_its_own_codes(arguments: tuple[str, ...], code: int, words: str) -> None:
    ended, said = outcome(*arguments)
    assert (ended, words in said) == (code, True), said
