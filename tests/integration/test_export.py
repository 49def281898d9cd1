"""What may be trained on is exported from a sink, redacted, and nothing else; DuckDB reads it."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engines.verification.asked import Asked
from engines.verification.export import Destination, Export, ExportError
from engines.verification.preferences import PreferencesInForce
from engines.verification.run import Verification
from tests.support.docker import Firestore
from tests.support.far_ends import FarEnd, far_end
from tests.support.planting import MAIL, PLANTS, plant_all
from tests.support.verification import CLEAN_EVENTS, Place


@pytest.fixture(scope="module", params=["gs", "s3"])
def sink_kind(request: pytest.FixtureRequest, emulator: Firestore) -> Iterator[FarEnd]:
    with far_end(request.param, emulator) as running:
        yield running


@pytest.fixture
async def place(sink_kind: FarEnd) -> Place:
    made = Place(sink_kind)
    await made.log()
    return made


async def objects(place: Place) -> dict[str, bytes]:
    """The tenant's exports by their names."""
    bucket = place.far_end.bucket()
    try:
        names = [name async for name in bucket.names(f"exports/{place.tenant}/")]
        return {name: await bucket.read(name) for name in names}
    finally:
        await bucket.close()


def rows_of(parts: dict[str, bytes], folder: Path, form: str) -> list[tuple[Any, ...]]:
    for name, body in parts.items():
        (folder / name.rsplit("/", 1)[-1]).write_bytes(body)
    return (
        duckdb.connect()
        .execute(f"SELECT event_id, * EXCLUDE ingested_at FROM '{folder}/part-*.{form}'")
        .fetchall()
    )


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
async def test_trainable_events_alone_are_exported_without_pii(
    place: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path, form: str
) -> None:
    code, output = await place.verify(capsys, "export", "--format", form, "--json")
    assert code == 0
    manifest = json.loads(output)
    left_out = {"synthetic": 1, "not_trainable": 4}
    assert manifest["counts"] == {"read": len(CLEAN_EVENTS), "exported": 3, "left_out": left_out}
    found = await objects(place)
    [part] = manifest["parts"]
    folder = next(iter(found)).rsplit("/", 1)[0]
    assert found.keys() == {f"{folder}/manifest.json", f"{folder}/part-00000.{form}"}
    assert folder.startswith(f"exports/{place.tenant}/~all/")
    assert json.loads(found[f"{folder}/manifest.json"]) == manifest
    body = found[f"{folder}/{part['name']}"]
    assert (part["bytes"], part["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    rows = rows_of(found, tmp_path, form)
    assert {row[0] for row in rows} == {"plain", "second", "staged"}
    assert MAIL not in str(rows)
    assert str(rows).count("[REDACTED]") == 2


async def test_what_the_verification_faults_is_left_out_and_counted_by_rule(
    place: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A planted copy of ``second`` has another content, so neither goes out; ``plain`` goes out once."""
    await plant_all(place.far_end, await place.originals(), place.secret)
    code, output = await place.verify(capsys, "export", "--json")
    manifest = json.loads(output)
    counts = manifest["counts"]
    assert (code, counts["read"]) == (0, counts["exported"] + sum(counts["left_out"].values()))
    assert counts["read"] == len(CLEAN_EVENTS) + len(PLANTS) + 2
    assert manifest["faults"].keys() >= {
        *("flags.wrong", "flags.partial", "train_ok.wrong", "isolation.tenant", "id.conflict")
    }
    assert counts["left_out"]["copy"] == 1
    rows = rows_of(await objects(place), tmp_path, "ndjson")
    assert {row[0] for row in rows} == {"plain", "staged", "p-field-added", "p-audit", "p-part-clean"}
    assert json.loads((await place.verify(capsys, "events", "--json"))[1])["records"] == counts["read"]


async def test_choices_narrow_or_widen_it(
    place: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, output = await place.verify(capsys, "export", "--env", "dev", "--synthetic")
    assert (code, "3 of 7 records exported in 1 parts" in output) == (0, True)
    found = await objects(place)
    assert {name.split("/")[2] for name in found} == {"dev"}
    assert {row[0] for row in rows_of(found, tmp_path, "ndjson")} == {"plain", "second", "rehearsed"}
    code, output = await place.verify(capsys, "export", "--since", "2031-01-01T00:00:00Z", "--json")
    assert (code, json.loads(output)["counts"]["read"], json.loads(output)["parts"]) == (0, 0, [])


async def test_a_name_that_is_taken_is_never_replaced_and_leaves_no_manifest(place: Place) -> None:
    asked, original = Asked(place.tenant), (await place.originals())["plain"]
    bucket = place.far_end.bucket()
    to = Destination(bucket, "", f"{place.far_end.kind}://datasets/")
    taken = f"{to.folder(asked, original.ingested_at)}part-00000.ndjson"
    assert await bucket.create(taken, b"mine")
    async with place.far_end.sink() as sink:
        export = Export(Verification(sink, PreferencesInForce(None)), sink.describe(), to, "ndjson", False)
        with pytest.raises(ExportError, match=r"is there already and is not replaced.*Run the export again"):
            await export.run(asked, original.ingested_at)
    await bucket.close()
    assert await objects(place) == {taken: b"mine"}
