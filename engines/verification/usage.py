"""What the command line takes, and what it says when it cannot be taken."""

import argparse
import re
import sys
from datetime import datetime
from typing import Never

from engines.common.clock import in_utc
from engines.verification.run import EXAMPLES

BAD_USAGE = 64
"""sysexits.h: argparse's own code, 2, would read as faults."""

TENANT = re.compile(r"t_[a-z0-9_-]+")


class Parser(argparse.ArgumentParser):
    """Bad usage has an exit code of its own."""

    def error(self, message: str) -> Never:
        """Say it and leave."""
        self.print_usage(sys.stderr)
        self.exit(BAD_USAGE, f"{self.prog}: error: {message}\n")


def parser() -> Parser:
    """The parser of the commands."""
    made = Parser(prog="verify", description="Judge what the sink in use holds of a tenant, or export of it.")
    commands = made.add_subparsers(dest="command", required=True)
    events = commands.add_parser("events", help="judge every record by rule; ids only, never a payload")
    events.add_argument(
        "--examples", type=_count, default=EXAMPLES, help="most examples of a rule (%(default)s)"
    )
    export = commands.add_parser("export", help="trainable events, redacted, into DATASETS_BUCKET")
    export.add_argument("--format", choices=["ndjson", "parquet"], default="ndjson")
    export.add_argument("--synthetic", action="store_true", help="also what a rehearsal sent")
    export.set_defaults(examples=EXAMPLES)
    acknowledge = commands.add_parser("acknowledge", help="accept what is missing as lost")
    acknowledge.add_argument("--by", type=_who, default="operator", help="who does (%(default)s)")
    for command in (events, export, acknowledge):
        command.add_argument("--tenant", type=tenant, required=True, help="t_…")
        command.add_argument("--env", help="as the events have it; every env when left out")
        command.add_argument("--since", type=_time, help="2026-01-02T03:04:05Z; everything when left out")
        command.add_argument("--json", action="store_true", help="the whole result as JSON")
    return made


def tenant(text: str) -> str:
    """The id of a tenant. Raises ArgumentTypeError."""
    if not TENANT.fullmatch(text):
        raise argparse.ArgumentTypeError("a tenant's id is t_ with a-z, 0-9, _ and - after it")
    return text


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError
        return in_utc(at)
    except ValueError:
        raise argparse.ArgumentTypeError(
            "write a time with its timezone, like 2026-01-02T03:04:05Z"
        ) from None


def _who(text: str) -> str:
    if not 0 < len(text) <= 100 or not text.isprintable():
        raise argparse.ArgumentTypeError("a name of at most 100 printable characters")
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > 1000:
        raise argparse.ArgumentTypeError("a number from 0 to 1000")
    return int(text)
