"""Images do not depend on the umask of whoever cloned the checkout."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted((ROOT / "compose/images").glob("*/Dockerfile"))
COPY = re.compile(r"^COPY (?!--from=)(?P<options>(?:--\S+ )*)(?P<sources>.+) (?P<target>\S+)$", re.MULTILINE)


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_row_7_modes_are_set_in_the_image(dockerfile: Path) -> None:
    text = dockerfile.read_text().replace("\\\n", " ")
    unset = []
    for copy in COPY.finditer(text):
        rest = text[copy.end() :].split("\nFROM ")[0]
        # Root reads these in the build, and nobody later.
        is_read_by_root = copy["target"] in ("/requirements.txt", "/")
        is_set_later = re.search(
            rf"chmod -R u=rwX,go=rX \S*{re.escape(copy['target'].rsplit('/', 1)[0])}", rest
        )
        if "--chmod=" not in copy["options"] and not is_read_by_root and not is_set_later:
            unset.append(copy[0])
    assert unset == []
