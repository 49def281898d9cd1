"""First start of the stack: generate the service secrets that do not exist yet.

Run as ``python -m engines.config.secret_files DIRECTORY``. Each secret is one file with mode 0600,
named like the variable it fills. An existing file is never touched, so a restart keeps every
token and key valid. The directory is a volume beside the data: they live and die together.
"""

import argparse
import os
import secrets
import tempfile
from pathlib import Path

SECRETS = {
    "AUTH_JWT_SIGNING": 48,
    "SYSTEM_BOOTSTRAP_KEY": 32,
    "AWS_ACCESS_KEY_ID": 10,
    "AWS_SECRET_ACCESS_KEY": 30,
}
"""Name of each secret and its length in random bytes (written as twice as many hex characters)."""


def generate_missing(directory: Path) -> list[str]:
    """Create each missing secret in ``directory``; return the names that were created."""
    return [name for name, size in SECRETS.items() if _create(directory / name, secrets.token_hex(size))]


def _create(path: Path, value: str) -> bool:
    """Write ``value`` to a new 0600 file, whole or not at all; False when the file exists."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".new-") as draft:
        draft.write(value)
        draft.flush()
        os.fsync(draft.fileno())
        try:
            # A link never replaces: of two jobs at once, one creates the secret and both keep it.
            os.link(draft.name, path)
        except FileExistsError:
            return False
    return True


def main() -> None:
    """Entry point of the one-shot job."""
    parser = argparse.ArgumentParser(description="Generate the missing service secrets, each a 0600 file.")
    parser.add_argument("directory", type=Path, help="an existing directory, e.g. the secrets volume")
    directory: Path = parser.parse_args().directory
    if not directory.is_dir():
        parser.error(f"{directory} is not a directory: mount the secrets volume there")
    created = generate_missing(directory)
    print(f"created: {', '.join(created)}" if created else "all secrets exist, nothing to do")  # noqa: T201 - the job's one line of output


if __name__ == "__main__":
    main()
