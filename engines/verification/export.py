"""The export of what may be trained on: redacted, in parts, with a manifest written last.

The sink is read twice: once to know every id, so that no event goes out whose id has two contents, and once
to write. What the verification faults is left out and counted. Names are create-only: nothing is ever
replaced, and without a manifest an export is not complete.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from engines.guardrails.pii_text import PATTERNS
from engines.nexus.backends.object_store_bucket import Bucket
from engines.nexus.backends.object_store_layout import segment
from engines.nexus.backends.sink import SinkDescription
from engines.verification.asked import Asked
from engines.verification.ids import SeenIds
from engines.verification.manifest import Format, LeftOut, Manifest, PartEntry
from engines.verification.parts import LARGEST, encoded, line_of
from engines.verification.redaction import MASK, NUMBERS, redacted
from engines.verification.report import of_sink
from engines.verification.rules import RULES, Judged
from engines.verification.run import Verification

WRITE_SECONDS = 30.0
EVERY_ENV = "~all"
"""Folder of an export of every env; no env is written like that."""

UNDECIDED = {"flags.undecided", "train_ok.undecided"}

CLAIMS: dict[str, LeftOut] = {"copy": "copy", "conflict": "faulted", "unseen": "arrived_later"}


class ExportError(Exception):
    """The export is not complete; the message says what to do."""


@dataclass(frozen=True)
class Destination:
    """Where an export goes: the bucket, and the beginning of every name in it."""

    bucket: Bucket
    prefix: str
    address: str

    def folder(self, asked: Asked, until: datetime) -> str:
        """The folder of this export alone."""
        env = EVERY_ENV if asked.env is None else segment(asked.env)
        return f"{self.prefix}exports/{asked.tenant_id}/{env}/{until.astimezone(UTC):%Y%m%dT%H%M%SZ}/"


class Export:
    """One export. Raises SinkError, StoreError and ExportError; what is there then has no manifest."""

    def __init__(
        self,
        verification: Verification,
        sink: SinkDescription,
        to: Destination,
        form: Format,
        synthetic: bool,
    ) -> None:
        self._verification = verification
        self._sink = sink
        self._to = to
        self._form = form
        self._synthetic = synthetic
        self._lines: list[bytes] = []
        self._size = 0

    async def run(self, asked: Asked, until: datetime) -> tuple[str, Manifest]:
        """Write the export; returns its folder and its manifest."""
        folder = self._to.folder(asked, until)
        await self._check_unused(folder)
        manifest = self._manifest(asked, until)
        with SeenIds() as ids:
            await self._verification.ids(asked, ids)
            async for judged in self._verification.judged(asked):
                manifest.counts.read += 1
                line = self._line(judged, ids, manifest)
                if line and self._size + len(line) > LARGEST:
                    await self._write_part(folder, manifest)
                if line:
                    self._lines.append(line)
                    self._size += len(line)
        await self._write_part(folder, manifest)
        await self._create(f"{folder}manifest.json", manifest.model_dump_json(indent=2).encode())
        return folder, manifest

    def _line(self, judged: Judged, ids: SeenIds, manifest: Manifest) -> bytes | None:
        """The redacted event, or None for one that is left out; counts it either way."""
        reason = self._reason(judged, ids, manifest)
        line = None if reason or judged.event is None else line_of(_exported(judged))
        if line:
            manifest.counts.exported += 1
        else:
            manifest.leave_out(reason or "not_json")
        return line

    def _reason(self, judged: Judged, ids: SeenIds, manifest: Manifest) -> LeftOut | None:
        faults = [rule for rule in judged.rules if RULES[rule][0] == "fault"]
        for rule in faults:
            manifest.faults[rule] = manifest.faults.get(rule, 0) + 1
        if faults or judged.event is None:
            return "faulted"
        if judged.synthetic and not self._synthetic:
            return "synthetic"
        if not judged.event.train_ok:
            return "not_trainable"
        if UNDECIDED.intersection(judged.rules):
            return "undecided"
        claim = ids.claim(str(judged.event_id))
        if claim == "conflict":
            manifest.faults["id.conflict"] = manifest.faults.get("id.conflict", 0) + 1
        return CLAIMS.get(claim)

    async def _check_unused(self, folder: str) -> None:
        """Also finds a bucket that is missing, which a stand-in would make on the first write."""
        async with self._bounded():
            async for _ in self._to.bucket.names(folder, page=1):
                raise _taken(self._to.address, folder)

    async def _write_part(self, folder: str, manifest: Manifest) -> None:
        if not self._lines:
            return
        body = await asyncio.to_thread(encoded, self._lines, self._form)
        name = f"part-{len(manifest.parts):05}.{self._form}"
        await self._create(f"{folder}{name}", body)
        digest = hashlib.sha256(body).hexdigest()
        manifest.parts.append(PartEntry(name=name, events=len(self._lines), bytes=len(body), sha256=digest))
        self._lines, self._size = [], 0

    async def _create(self, name: str, body: bytes) -> None:
        async with self._bounded():
            if not await self._to.bucket.create(name, body):
                raise _taken(self._to.address, name)

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                yield
        except TimeoutError:
            raise ExportError(f"{self._to.address}: no answer in time. Run the export again") from None

    def _manifest(self, asked: Asked, until: datetime) -> Manifest:
        configuration = {
            "mask": MASK,
            "patterns": {flag: pattern.pattern for flag, pattern in PATTERNS.items()},
            "in_plain_text": ["addresses of any alphabet", *(pattern.pattern for pattern in NUMBERS)],
            "synthetic": "exported" if self._synthetic else "left out",
            "part_bytes": LARGEST,
        }
        return Manifest(
            tenant_id=asked.tenant_id,
            env=asked.env,
            since=asked.since,
            until=until,
            sink=of_sink(self._sink, asked.tenant_id),
            format=self._form,
            configuration=configuration,
        )


def _exported(judged: Judged) -> dict[str, object]:
    """The event without PII, with its envelope."""
    assert judged.event is not None, "only an event is exported"
    assert judged.at is not None, "an event without a time is faulted"
    at = judged.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    envelope = {
        "event_id": judged.event_id,
        "ingested_at": at,
        "schema_version": judged.fields["schema_version"],
    }
    return envelope | redacted(judged.event)


def _taken(address: str, name: str) -> ExportError:
    return ExportError(
        f"{address}{name} is there already and is not replaced: another export began in the same second, "
        "or its name was used by hand. Run the export again"
    )
