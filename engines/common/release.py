"""Which release runs: its version, and the commit that its image was built from."""

import re
from functools import cache
from pathlib import Path

VERSION = "0.1.0"
"""Of these engines, as in pyproject.toml."""

COMMIT_FILE = Path(__file__).parents[1] / "COMMIT"
"""Written when an image is built, which has no git folder."""

_COMMIT = re.compile(r"[0-9a-f]{7,64}(-dirty)?")


@cache
def commit() -> str | None:
    """The commit, with ``-dirty`` where files differed from it; None where nobody said."""
    try:
        said = COMMIT_FILE.read_text().strip()
    except OSError:
        return None
    return said if _COMMIT.fullmatch(said) else None
