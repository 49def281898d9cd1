"""Files mean what the caller means, none with secrets lands in git, and nothing unsaved is stopped."""

import subprocess
from pathlib import Path

import pytest

from tests.scripts.bash import linked, ran


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("same.tar.gz", "/elsewhere/same.tar.gz"),
        ("./same.tar.gz", "/elsewhere/same.tar.gz"),
        ("../up.tar.gz", "/elsewhere/../up.tar.gz"),
        ("a name/b", "/elsewhere/a name/b"),
        ("/whole", None),
    ],
)
def test_row_5_a_file_is_meant_from_where_the_caller_stands(
    tmp_path: Path, given: str, meant: str | None
) -> None:
    checkout, there = linked(tmp_path / "checkout"), tmp_path / "elsewhere"
    there.mkdir()
    code, output = ran('as_called "$1"', checkout, there, given)
    assert (code, output) == (0, f"{tmp_path}{meant}" if meant else given)


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


def test_row_5_a_file_with_secrets_is_refused_where_git_takes_it(tmp_path: Path) -> None:
    checkout = linked(tmp_path / "checkout")
    git(checkout, "init")
    (checkout / ".gitignore").write_text("backups/\n")
    (checkout / "backups").mkdir()
    code, output = ran('refuse_tracked BACKUP "$1"', checkout, None, str(checkout / "mine.tar.gz"))
    assert code == 1
    assert "[fail] BACKUP" in output
    assert "would hold secrets where git takes it" in output
    for allowed in (checkout / "backups/mine.tar.gz", tmp_path / "mine.tar.gz", tmp_path / "no/folder"):
        assert ran('refuse_tracked BACKUP "$1"', checkout, None, str(allowed)) == (0, "")


@pytest.mark.parametrize(("state", "said"), [("running", "[fail] UNSAVED"), ("exited", "went on")])
def test_row_1_only_a_store_that_runs_here_is_asked_whether_it_can_save(
    tmp_path: Path, state: str, said: str
) -> None:
    """Its port may be another stack's while this one is down."""
    script = f"""
container_states() {{ echo 'firestore|id|{state}|0|false|healthy|0|now'; }}
stand_in_status() {{ echo '{{"saving": "failing", "save_error": "denied"}}'; }}
refuse_unsaved ./scripts/down
echo 'went on'
"""
    _, output = ran(script, linked(tmp_path / "checkout"))
    assert said in output
