"""One script at a time changes a checkout: others wait, and a killed one is in nobody's way."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.scripts.bash import linked, ran, started
from tests.support.docker import wait_until

HOLDS = 'take_lock stack "$@"; echo holds; read -r go <go; echo "$1 ends"'
LOCK = ".kit/stack.lock"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = linked(tmp_path / "a checkout")
    os.mkfifo(folder / "go")
    return folder


def is_held(checkout: Path) -> bool:
    return (checkout / LOCK).is_symlink()


def test_row_9_a_second_script_waits_and_begins_again_with_its_arguments(checkout: Path) -> None:
    first = started(HOLDS, checkout, None, "first")
    wait_until(lambda: is_held(checkout), 30, "the first script holds the lock")
    second = started(HOLDS, checkout, checkout.parent, "the second")
    assert second.stdout is not None
    assert f"waiting for another script on this checkout: ./scripts/script, process {first.pid}" in (
        second.stdout.readline()
    )
    (checkout / "go").write_text("\n")
    assert first.communicate(timeout=60)[0] == "holds\nfirst ends\n"
    (checkout / "go").write_text("\n")
    assert second.communicate(timeout=60)[0] == "holds\nthe second ends\n"
    assert (first.returncode, second.returncode) == (0, 0)
    assert not is_held(checkout)


def test_row_9_the_lock_of_a_killed_script_is_broken(checkout: Path) -> None:
    first = started(HOLDS, checkout)
    wait_until(lambda: is_held(checkout), 30, "the first script holds the lock")
    first.kill()
    first.communicate(timeout=60)
    assert is_held(checkout)
    code, output = ran('take_lock stack "$@"; echo mine', checkout)
    assert (code, output) == (0, "mine\n")
    assert not is_held(checkout)


def test_row_9_a_process_that_only_has_the_number_of_the_holder_holds_nothing(checkout: Path) -> None:
    (checkout / ".kit").mkdir()
    with subprocess.Popen(["sleep", "60"]) as other:
        (checkout / LOCK).symlink_to(f"{other.pid} up Thu Jan  1 00:00:00 1970")
        code, output = ran('take_lock stack "$@"; echo mine', checkout)
        other.kill()
    assert (code, output) == (0, "mine\n")


def test_row_9_a_lock_that_is_never_given_back_is_named(checkout: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        hold = f'holder="{other.pid} up $(started_at {other.pid})"; mkdir .kit; ln -s "$holder" {LOCK}'
        code, output = ran(f'{hold}; lock_limit=0; take_lock stack "$@"', checkout)
        other.kill()
    assert code == 1
    assert "[fail] LOCK  another script still works on this checkout" in output
    assert f"./scripts/up, process {other.pid}" in output
    assert "cure:" in output


def test_row_9_nothing_stays_behind_of_a_script_that_changed_nothing(checkout: Path) -> None:
    code, _ = ran('take_lock stack "$@"; die X "cause" "cure"', checkout)
    assert code == 1
    assert not (checkout / ".kit").exists()
