"""Flags of a record whose sink keeps no order of fields: any order of the event may have given them."""

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest

from engines.guardrails.pii_text import detect
from engines.logging.events.scan import scanned_text
from engines.nexus.backends.sink import Record
from engines.verification.orders import given_in_some_order
from engines.verification.rules import judge, judge_train_ok
from tests.support.records import dataset_event, page_view

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
WRITTEN = {"a": "1234", "c": "567890", "b": "x"}
"""Read as one text a phone; sorted by name, as Firestore gives it back, none."""
SORTED = dict(sorted(WRITTEN.items()))


def record(flags: list[str], metadata: dict[str, str], *, ordered: bool) -> Record:
    fields: dict[str, Any] = dataset_event(metadata=metadata).model_dump()
    fields |= {"event_id": "e-1", "ingested_at": NOW, "schema_version": 1, "train_ok": not flags}
    reason = "pii_masked" if flags else "no_pii_detected"
    return Record("place", fields | {"pii_flags": {"flags": flags, "policy_reason": reason}}, ordered=ordered)


def named(found: Record) -> list[str]:
    return [rule for rule in judge(found, NOW).rules if rule.startswith("flags")]


def test_the_example_depends_on_the_order() -> None:
    assert detect(scanned_text(dataset_event(metadata=WRITTEN))) == ["phone"]
    assert detect(scanned_text(dataset_event(metadata=SORTED))) == []


@pytest.mark.parametrize(("metadata", "flags"), [(SORTED, ["phone"]), (WRITTEN, [])])
def test_flags_of_another_order_are_right_where_the_sink_keeps_none(
    metadata: dict[str, str], flags: list[str]
) -> None:
    assert named(record(flags, metadata, ordered=False)) == []
    assert named(record(flags, metadata, ordered=True)) == ["flags.wrong"]


def test_train_ok_goes_with_the_flags_that_were_stored() -> None:
    flagged = judge(record(["phone"], SORTED, ordered=False), NOW)
    assert judge_train_ok(flagged, True) is None
    clean = judge(record([], WRITTEN, ordered=False), NOW)
    assert judge_train_ok(clean, True) is None
    assert judge_train_ok(clean, False) == "train_ok.wrong"


@pytest.mark.parametrize("flags", [["email"], ["postal"], ["card"], ["phone", "postal"]])
def test_flags_that_no_order_gives_are_wrong(flags: list[str]) -> None:
    assert "flags.wrong" in named(record(flags, SORTED, ordered=False))


def test_more_orders_than_can_be_tried_are_undecided_unless_the_flag_needs_one_value_alone() -> None:
    many = {f"k{number}": "word" for number in range(12)}
    assert named(record(["phone"], many, ordered=False)) == ["flags.undecided"]
    assert named(record(["email"], many, ordered=False)) == ["flags.wrong"]


def test_each_order_of_a_small_event_is_found() -> None:
    values = {"a": "12", "b": "345", "c": "67890 1", "d": "y"}
    for order in permutations(values):
        event = dataset_event(metadata={name: values[name] for name in order})
        flags = detect(scanned_text(event))
        assert given_in_some_order(dataset_event(metadata=values), flags) == "yes"


BODY = {"surface": "x 1234", "page_type": "567890 x", **{f"utm_{name}": "a" for name in ("term", "medium")}}
FULL = BODY | dict.fromkeys(("url", "referrer", "utm_source", "utm_campaign", "utm_content"), "b")


@pytest.mark.parametrize("body", [BODY, FULL], ids=["small", "more orders than are tried"])
def test_the_input_of_an_analytics_event_is_scanned_in_the_order_of_the_body(body: dict[str, str]) -> None:
    event = page_view(body)
    assert detect(scanned_text(event)) == ["phone"]
    event.input = dict(sorted(event.input.items()))
    assert detect(scanned_text(event)) == []
    fields: dict[str, Any] = event.model_dump()
    fields |= {"event_id": "e-1", "ingested_at": NOW, "schema_version": 1, "train_ok": False}
    for flags, rules in ((["phone"], []), ([], ["flags.wrong"])):
        reason = "pii_masked" if flags else "no_pii_detected"
        stored = fields | {"pii_flags": {"flags": flags, "policy_reason": reason}}
        assert named(Record("place", stored, ordered=False)) == rules
