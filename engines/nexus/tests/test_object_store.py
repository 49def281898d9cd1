"""The object-store sink over a bucket in memory: names, order, and batches that are stored in part."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from engines.common.storable import MAX_TENANT_BYTES
from engines.config.bucket import LONGEST_PREFIX
from engines.nexus.backends.object_store import ObjectStoreSink
from engines.nexus.backends.object_store_layout import OBJECT_BYTES, Line, encode, folder, parts, stored
from engines.nexus.backends.sink import Envelope, SinkError, SinkMisconfigured, SinkRetryable
from tests.support.records import dataset_event

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
TARGET = "gs://bucket/{tenant}/"


class FakeBucket:
    """Objects in a dict; a name that holds a key of ``faults`` raises what that key has."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.faults: dict[str, Exception] = {}

    async def create(self, name: str, body: bytes) -> bool:
        for part, error in self.faults.items():
            if part in name:
                raise error
        return self.objects.setdefault(name, body) is body

    async def folders(self, prefix: str) -> list[str]:
        below = {name.removeprefix(prefix) for name in self.objects if name.startswith(prefix)}
        return sorted({path.split("/")[0] for path in below if "/" in path})

    async def names(self, prefix: str, page: int = 1000) -> AsyncIterator[str]:
        for name in sorted(self.objects):
            if name.startswith(prefix):
                yield name

    async def read(self, name: str) -> bytes:
        return self.objects[name]

    async def delete(self, name: str) -> None:
        self.objects.pop(name, None)

    async def close(self) -> None:
        """Nothing to close."""


def envelope(event_id: str, at: datetime = NOON, tenant: str = "t_acme", env: str = "dev") -> Envelope:
    event = dataset_event().model_copy(update={"tenantId": tenant, "env": env})
    return Envelope(event_id=event_id, ingested_at=at, event=event)


def sink_over(bucket: FakeBucket) -> ObjectStoreSink:
    return ObjectStoreSink(bucket, "p/", TARGET, stand_in=True)


def names_of(*events: Envelope) -> list[str]:
    return [part.name for part in parts("p/", [Line(n, item, encode(item)) for n, item in enumerate(events)])]


def test_an_object_lies_under_tenant_env_day_and_hour_in_utc() -> None:
    local = NOON.astimezone(timezone(timedelta(hours=14)))
    [name] = names_of(envelope("e1", local))
    assert name.startswith("p/t_acme/dev/2026-01-15/12/3599999999-3599999999-")
    assert name.endswith(".ndjson")


@pytest.mark.parametrize("room", [OBJECT_BYTES, 2_000])
def test_a_batch_restricted_to_one_tenant_and_env_meets_the_names_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    # The outbox sends what was tried again by tenant and env: a part that is stored must be met.
    monkeypatch.setattr("engines.nexus.backends.object_store_layout.OBJECT_BYTES", room)
    owners = [(tenant, env) for tenant in ("t_a", "t_b", "t_c") for env in ("dev", "prod", "a/b")]
    moments = [NOON + timedelta(minutes=7 * (number % 13)) for number in range(90)]
    batch = [envelope(f"e{n}", at, *owners[n % len(owners)]) for n, at in enumerate(moments)]
    own = [[item for item in batch if (item.event.tenantId, item.event.env) == owner] for owner in owners]
    assert sorted(names_of(*batch)) == sorted(name for events in own for name in names_of(*events))


def test_the_newer_the_object_the_earlier_its_name() -> None:
    moments = [NOON + timedelta(microseconds=n) for n in (0, 1, 999_999, 3_599_999_998, 3_599_999_999)]
    names = [names_of(envelope("e", at))[0] for at in moments]
    assert sorted(names, reverse=True) == names
    for name, at in zip(names, moments, strict=True):
        found = stored(name)
        assert found is not None
        assert (found.oldest, found.newest) == (at, at)


def test_the_name_is_made_of_the_ids_whatever_their_order() -> None:
    a, b, c = (envelope(f"e{n}", NOON + timedelta(seconds=n)) for n in range(3))
    assert names_of(a, b, c) == names_of(c, a, b)
    assert names_of(a, b, c) != names_of(a, envelope("other", b.ingested_at), c)


@pytest.mark.parametrize(
    "name", ["p/t_acme/dev/2026-01-15/12/notes.txt", "p/t_acme/dev/2026-01-15/x.ndjson", ""]
)
def test_a_foreign_name_says_nothing(name: str) -> None:
    assert stored(name) is None


def test_every_env_has_a_folder_of_its_own() -> None:
    envs = ["dev", "DEV", "", "~", "a/b", "a~2Fb", "..", "ä", "a b", "x" * 300, "x" * 301]
    folders = [folder("", "t_a", env) for env in envs]
    assert len(set(folders)) == len(envs)
    assert all(path.count("/") == 2 and len(path) < 140 for path in folders)
    assert folders[0] == "t_a/dev/"


def test_a_line_is_flat() -> None:
    fields = json.loads(encode(envelope("e1")))
    assert (fields["event_id"], fields["ingested_at"]) == ("e1", "2026-01-15T12:00:00.000000Z")
    assert (fields["tenantId"], fields["schema_version"]) == ("t_acme", 1)


BATCH = [
    envelope("e1"),
    envelope("e2", tenant="t_globex"),
    envelope("e3", env="prod"),
    envelope("e4", NOON + timedelta(hours=1)),
]


async def test_a_batch_makes_one_object_for_each_tenant_env_and_hour() -> None:
    bucket = FakeBucket()
    await sink_over(bucket).write([*BATCH, envelope("e5", NOON + timedelta(minutes=59))])
    assert len(bucket.objects) == 4


@pytest.mark.parametrize(
    "error",
    [SinkRetryable(TARGET, "not reachable", "unreachable"), SinkMisconfigured(TARGET, "denied", "denied")],
)
async def test_a_batch_stored_in_part_is_sent_again_and_then_stored_once(error: SinkError) -> None:
    bucket = FakeBucket()
    bucket.faults["t_globex"] = error
    with pytest.raises(SinkRetryable, match="stored in part") as caught:
        await sink_over(bucket).write(BATCH)
    assert caught.value.reason == error.reason
    bucket.faults.clear()
    outcomes = [receipt.outcome for receipt in await sink_over(bucket).write(BATCH)]
    assert outcomes == ["duplicate", "stored", "duplicate", "duplicate"]


async def test_a_batch_of_which_nothing_is_stored_raises_what_an_operator_must_see() -> None:
    bucket = FakeBucket()
    bucket.faults = {
        "t_acme": SinkRetryable(TARGET, "not reachable", "unreachable"),
        "t_globex": SinkMisconfigured(TARGET, "permission denied", "denied"),
    }
    with pytest.raises(SinkMisconfigured):
        await sink_over(bucket).write(BATCH)


async def test_an_id_again_within_the_next_hour_is_read_once() -> None:
    sink = sink_over(FakeBucket())
    await sink.write([envelope("e1")])
    await sink.write([envelope("e1", NOON + timedelta(minutes=90))])
    assert [item.ingested_at async for item in sink.scan("t_acme", "dev")] == [NOON]


async def test_latest_passes_by_what_the_sink_did_not_write() -> None:
    bucket = FakeBucket()
    await sink_over(bucket).write([envelope("e1")])
    bucket.objects |= {"p/t_acme/dev/2026-01-15/12/0-note": b"", "p/t_acme/dev/zz/readme": b""}
    assert await sink_over(bucket).latest("t_acme", "dev") == NOON


class OpenedBucket(FakeBucket):
    """Remembers what was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    async def read(self, name: str) -> bytes:
        self.opened.append(name)
        return await super().read(name)


async def test_count_opens_only_what_lies_across_an_end_or_has_an_older_name() -> None:
    bucket = OpenedBucket()
    sink = sink_over(bucket)

    async def counted(first: int, last: int) -> int:
        start, end = (NOON + timedelta(seconds=second) for second in (first, last))
        return await sink.count("t_acme", "dev", start, end)

    for seconds in (range(4), range(40, 43)):
        await sink.write([envelope(f"e{n}", NOON + timedelta(seconds=n)) for n in seconds])
    assert (await counted(0, 3600), bucket.opened) == (7, [])
    assert (await counted(0, 2), len(bucket.opened)) == (2, 1)
    older = {
        re.sub(r"-0{8}[0-9a-f]{6}", "-0123456789abcd", name): body for name, body in bucket.objects.items()
    }
    assert older.keys().isdisjoint(bucket.objects)
    bucket.objects = older | {"p/t_acme/dev/2026-01-15/12/notes.txt": b"nothing of ours"}
    assert (await counted(0, 3600), await counted(41, 9000)) == (7, 2)
    assert await sink.latest("t_acme", "dev") == NOON + timedelta(seconds=42)


def test_row_18_the_longest_name_has_the_bytes_that_both_clouds_take() -> None:
    tenant = "t_" + "x" * (MAX_TENANT_BYTES - 2)
    line = Line(0, envelope("a", tenant=tenant, env="é" * 20), b"")
    [part] = parts("p" * LONGEST_PREFIX, [line])
    assert 950 < len(part.name.encode()) <= 1_024
