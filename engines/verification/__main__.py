"""``python -m engines.verification events|export|acknowledge --tenant T …``: judge what is stored, and more.

``export`` makes a data set of it, ``acknowledge`` accepts that what is missing is lost. Exit codes of
``events``: 0 clean, 1 warnings only, 2 faults. Of the others: 0 complete. Of all: 3 when something could not
be read, written or finished, 64 on bad usage, 78 on unusable settings.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

from pydantic import BaseModel

from engines.common.clock import utc_now
from engines.common.documents import DocumentStore, StoreError
from engines.config.runtime_config import Settings, SettingsError, load_settings
from engines.nexus.backends import get_backend, open_datasets
from engines.nexus.backends.sink import EventSink, SinkError
from engines.privacy.service import PrivacyService
from engines.storage.firestore import FirestoreDocumentStore
from engines.storage.firestore_client import close_client, open_client
from engines.verification.asked import Asked
from engines.verification.export import Destination, Export, ExportError
from engines.verification.losses import Losses, LossyHour
from engines.verification.manifest import Manifest
from engines.verification.preferences import PreferencesInForce
from engines.verification.report import EXIT_CODES, as_line, as_text, plain
from engines.verification.run import Verification
from engines.verification.usage import parser

NOT_FINISHED, CONFIGURATION_ERROR = 3, 78


class Acknowledged(BaseModel):
    """What an operator accepted as lost."""

    tenant_id: str
    by: str
    hours: list[LossyHour]


def main(arguments: Sequence[str] | None = None) -> int:
    """See the module's text."""
    chosen = parser().parse_args(arguments)
    try:
        return asyncio.run(run(load_settings(), chosen))
    except SettingsError as error:
        return _failed(str(error), CONFIGURATION_ERROR)
    except (SinkError, StoreError, ExportError) as error:
        return _failed(str(error))
    except Exception as error:
        # Python's own exit code, 1, would read as "warnings only", and an error's text could hold a payload.
        return _failed(f"not finished: {type(error).__name__}, which should not happen")


async def run(settings: Settings, chosen: argparse.Namespace) -> int:
    """Open what Bossman opens, and carry the command out."""
    async with AsyncExitStack() as stack:
        client = kept = None
        if settings.needs_firestore:
            client = open_client(settings.gcp_project or "", settings.firestore_emulator_host)
            stack.push_async_callback(close_client, client)
            kept = FirestoreDocumentStore(client)
        sink = get_backend(settings, client)
        stack.push_async_callback(sink.close)
        if sink.describe().discards:
            return _failed("NEXUS_BACKEND=noop discards every event: there is nothing to read")
        losses = _losses(settings, kept, sink)
        if chosen.command == "acknowledge":
            return await _acknowledge(losses, chosen)
        preferences = _preferences(settings, kept)
        verification = Verification(sink, preferences, examples=chosen.examples, losses=losses)
        if chosen.command == "events":
            return await _events(verification, chosen)
        return await _export(settings, sink, verification, chosen)


def _preferences(settings: Settings, kept: DocumentStore | None) -> PreferencesInForce:
    if kept is None or settings.privacy_backend != "firestore":
        _say("PRIVACY_BACKEND is memory, which is not seen from here: without PII train_ok is undecided")
        return PreferencesInForce(None)
    return PreferencesInForce(PrivacyService(kept))


def _losses(settings: Settings, kept: DocumentStore | None, sink: EventSink) -> Losses | None:
    if kept is None or settings.analytics_events_backend != "firestore":
        _say("ANALYTICS_EVENTS_BACKEND is memory: how many events were accepted is not seen from here")
        return None
    return Losses(kept, sink)


async def _acknowledge(losses: Losses | None, chosen: argparse.Namespace) -> int:
    if losses is None:
        return NOT_FINISHED
    lost = await losses.acknowledge(_asked(chosen), chosen.by)
    result = Acknowledged(tenant_id=chosen.tenant, by=chosen.by, hours=lost)
    lines = [f"acknowledged as lost by {plain(chosen.by)}:", *map(as_line, lost)]
    _print(result, "\n".join(lines) if lost else "nothing is missing", chosen.json)
    return 0


async def _events(verification: Verification, chosen: argparse.Namespace) -> int:
    report = await verification.report(_asked(chosen))
    _print(report, as_text(report), chosen.json)
    return EXIT_CODES[report.verdict]


async def _export(
    settings: Settings, sink: EventSink, verification: Verification, chosen: argparse.Namespace
) -> int:
    bucket, address = open_datasets(settings, "exports/")
    try:
        to = Destination(bucket, address.prefix, f"{address.scheme}://{address.bucket}/")
        export = Export(verification, sink.describe(), to, chosen.format, chosen.synthetic)
        folder, manifest = await export.run(_asked(chosen), utc_now())
    finally:
        await bucket.close()
    _print(manifest, f"{_summary(manifest)}\n{plain(to.address + folder)}manifest.json", chosen.json)
    return 0


def _summary(manifest: Manifest) -> str:
    counts = manifest.counts
    left = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.left_out.items())) or "nothing"
    parts = len(manifest.parts)
    return f"{counts.exported} of {counts.read} records exported in {parts} parts; left out: {left}"


def _asked(chosen: argparse.Namespace) -> Asked:
    return Asked(chosen.tenant, chosen.env, chosen.since)


def _print(result: BaseModel, text: str, as_json: bool) -> None:
    print(json.dumps(result.model_dump(mode="json"), indent=2) if as_json else text)  # noqa: T201 - the output


def _failed(message: str, code: int = NOT_FINISHED) -> int:
    _say(message)
    return code


def _say(message: str) -> None:
    print(message, file=sys.stderr)  # noqa: T201 - the command's error


if __name__ == "__main__":
    sys.exit(main())
