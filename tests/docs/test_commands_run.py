"""Every bash block of README, lane and runbook runs as written, in order, on a fresh checkout."""

import re

import pytest

from tests.support.docker import OUTPUT, ROOT
from tests.support.stack import DEFAULT_PORT, checkout

BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIRST_UP = "./scripts/up\n"
ON_ONE_STACK = [
    ("README.md", "docs/workflows/88mph/PRODISH_DEV.md"),
    ("docs/infra/PRODISH_DEV_RUNBOOK.md",),
]
"""Documents that leave the stack as they found it share one."""


def script_of(document: str, port: int) -> str:
    """The document's blocks as one script; only the port differs, so that it runs beside other stacks."""
    blocks = BLOCK.findall((ROOT / document).read_text())
    assert blocks, document
    assert blocks[0] == FIRST_UP, "the first block brings the stack up"
    blocks[0] = f"./scripts/up --port {port}\n"
    numbered = [f"echo '### block {number}'\n{block}" for number, block in enumerate(blocks, 1)]
    return "set -euo pipefail\n" + "\n".join(numbered).replace(
        f"127.0.0.1:{DEFAULT_PORT}", f"127.0.0.1:{port}"
    )


@pytest.mark.parametrize("documents", ON_ONE_STACK, ids=lambda found: found[0])
def test_the_documents_commands_run_as_written(documents: tuple[str, ...]) -> None:
    with checkout("docs") as stack:
        for document in documents:
            code, output = stack.outcome("bash", "-c", script_of(document, stack.port), seconds=800)
            OUTPUT.mkdir(exist_ok=True)
            (OUTPUT / f"commands-{document.rsplit('/', 1)[-1]}.log").write_text(output)
            assert code == 0, output[-3000:]
