"""``python -m engines.rehearsal onboard|compare|remove|watch|poison``: what ./scripts/rehearse runs inside.

onboard   stdin: {"kit", "project", "images"}; stdout: the receipt as JSON, a SEPARATOR, then as Markdown
compare   stdin: [receipt, receipt]; stdout: what changed
remove    stdin: [receipt, …] of which the newest is meant where no run is named; stdout: what is gone
watch     see ``fault``
poison    stdin: a login as JSON; stdout: what was answered; see ``poison``

What is said meanwhile goes to stderr. Exit 0 all held; 1 a claim broke or got worse, what was to be removed
is not marked, or a fault showed late; 2 bad usage; 3 could not be carried out, or not all was proven.
"""

import argparse
import asyncio
import sys
import traceback
from collections.abc import Sequence

from pydantic import ValidationError

from engines.common.documents import StoreError
from engines.config.runtime_config import SettingsError, load_settings
from engines.nexus.backends.sink import SinkError
from engines.rehearsal import commands
from engines.rehearsal.caller import NotCarriedOut
from engines.rehearsal.receipt import CLAIM_BROKE, NOT_CARRIED_OUT
from engines.rehearsal.removal import Unmarked
from engines.rehearsal.usage import address, env, name, target

BASE_URL = "http://127.0.0.1:8000"
"""Bossman as its own container sees it."""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command and its arguments. Ends the process with 2 and a message on bad usage."""
    parser = argparse.ArgumentParser(prog="rehearse", allow_abbrev=False)
    chosen = parser.add_subparsers(dest="command", required=True)
    onboard = chosen.add_parser("onboard", allow_abbrev=False)
    onboard.add_argument("name", type=name)
    onboard.add_argument("--env", type=env, default="dev")
    onboard.add_argument("--url", type=address, default=BASE_URL)
    onboard.add_argument("--rewrite", action="store_true", help="progress in one line that rewrites itself")
    chosen.add_parser("compare")
    remove = chosen.add_parser("remove", allow_abbrev=False)
    remove.add_argument("run", nargs="?", type=target)
    remove.add_argument("--all", action="store_true")
    for follows in ("watch", "poison"):
        chosen.add_parser(follows, allow_abbrev=False).add_argument("--url", type=address, default=BASE_URL)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """See the module's text."""
    asked = parse(arguments)
    try:
        return asyncio.run(_run(asked))
    except Unmarked as error:
        return _failed(f"{error}: nothing was removed", CLAIM_BROKE)
    except (NotCarriedOut, StoreError, SinkError, SettingsError) as error:
        return _failed(str(error), NOT_CARRIED_OUT)
    except ValidationError as error:
        return _failed(f"this is no receipt of a rehearsal ({error.error_count()} faults)", NOT_CARRIED_OUT)
    except Exception:
        # Python's own exit code would be 1, which says that a claim broke.
        traceback.print_exc()
        return _failed("it ended with the error above: ./scripts/doctor", NOT_CARRIED_OUT)


async def _run(asked: argparse.Namespace) -> int:
    match asked.command:
        case "onboard":
            return await commands.onboard(load_settings(), asked)
        case "compare":
            return commands.compare(sys.stdin.read())
        case "remove":
            return await commands.remove(load_settings(), asked, sys.stdin.read())
        case "poison":
            return await commands.poison(asked.url)
        case _:
            return await commands.watch(asked.url)


def _failed(message: str, code: int) -> int:
    print(f"rehearse: {message}", file=sys.stderr)  # noqa: T201 - the command's error
    return code


if __name__ == "__main__":
    sys.exit(main())
