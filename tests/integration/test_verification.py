"""Every planted fault is found and named by its rule, on every sink; what the pipeline wrote is not."""

import hashlib
import json
from collections.abc import Iterator

import pytest

from engines.config.runtime_config import SettingsError
from engines.nexus.backends.sink import SinkError
from tests.support.docker import Firestore
from tests.support.far_ends import KINDS, FarEnd, far_end
from tests.support.planting import NOT_IN_BIGQUERY, PLANTS, plant_all, plants_of, rules_of
from tests.support.records import stored_events
from tests.support.verification import CLEAN_EVENTS, Place


@pytest.fixture(scope="module", params=KINDS)
def sink_kind(request: pytest.FixtureRequest, emulator: Firestore) -> Iterator[FarEnd]:
    with far_end(request.param, emulator) as running:
        yield running


@pytest.fixture(scope="module")
async def place(sink_kind: FarEnd) -> Place:
    made = Place(sink_kind)
    await made.log()
    return made


async def test_what_the_pipeline_wrote_is_clean(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    code, output = await place.verify(capsys, "events", "--json")
    report = json.loads(output)
    assert (code, report["verdict"], report["rules"]) == (0, "clean", [])
    assert (report["records"], report["synthetic"]) == (len(CLEAN_EVENTS), 1)
    assert bool(report["surveyed"]) == (place.far_end.kind == "bigquery")
    code, output = await place.verify(capsys, "events", "--env", "nowhere")
    assert (code, "records.none" in output) == (1, True)


async def test_every_planted_fault_is_named_by_its_rule_and_id(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = place.far_end.kind
    await plant_all(place.far_end, await place.originals(), place.secret)
    code, output = await place.verify(capsys, "events", "--json", "--examples", "50")
    report = json.loads(output)
    assert (code, report["verdict"]) == (2, "faults")
    expected: dict[str, set[str | None]] = {}
    for name in plants_of(kind):
        for rule in rules_of(kind, name):
            expected.setdefault(rule, set()).add(shown(name))
    if kind in ("gs", "s3"):
        expected["record.unreadable"] = {None}
    found = {item["rule"]: item for item in report["rules"]}
    assert {rule: {one["event_id"] for one in item["examples"]} for rule, item in found.items()} == expected
    assert found["id.conflict"]["count"] == found["id.duplicate"]["count"] == 1
    assert (await place.verify(capsys, "events"))[0] == 2


def shown(name: str) -> str | None:
    """The id that a report shows of a plant."""
    match PLANTS[name].event_id:
        case None:
            return PLANTS[name].copy_of or f"p-{name}"
        case str() as event_id if event_id:
            return f"sha256:{hashlib.sha256(event_id.encode()).hexdigest()[:16]}"
        case _:
            return None


def test_at_least_twelve_faults_can_lie_in_every_sink() -> None:
    assert {kind: len(plants_of(kind)) >= 12 for kind in KINDS} == dict.fromkeys(KINDS, True)
    assert NOT_IN_BIGQUERY.keys() < PLANTS.keys()


async def test_a_scan_over_what_is_no_event_says_so_without_its_payload(place: Place) -> None:
    async with place.far_end.sink() as sink:
        with pytest.raises(SinkError, match="not an event") as caught:
            await stored_events(sink, place.tenant)
    assert place.secret not in str(caught.value)


async def test_an_export_without_a_bucket_says_what_to_set(
    emulator: Firestore, capsys: pytest.CaptureFixture[str]
) -> None:
    unset = pytest.raises(SettingsError, match="DATASETS_BUCKET is not set: set it to gs://bucket")
    with far_end("firestore", emulator) as only_state, unset:
        await Place(only_state).verify(capsys, "export")
