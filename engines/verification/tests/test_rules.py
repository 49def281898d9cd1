"""Each rule names what breaks it, alone; a record of the pipeline is named by none."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engines.common.identity import RequestContext
from engines.dataset.events.schemas import DatasetEvent
from engines.guardrails.pii_text import detect, policy_reason
from engines.logging.audit import audit_event
from engines.logging.events.scan import scanned_text
from engines.nexus.backends.sink import Record
from engines.verification.rules import RULES, content_digest, judge, judge_train_ok
from tests.support.records import dataset_event, earlier_page_view, page_view

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
CLEAN: dict[str, Any] = {"flags": [], "policy_reason": "no_pii_detected"}


def fields(**changes: Any) -> dict[str, Any]:
    """A record as the pipeline makes it, changed; ``...`` takes a field away."""
    event = dataset_event(input={"text": "hello"})
    flags = detect(scanned_text(event))
    made = event.model_dump() | {
        "event_id": "e-1",
        "ingested_at": NOW,
        "schema_version": 1,
        "pii_flags": {"flags": flags, "policy_reason": policy_reason(flags)},
        "train_ok": not flags,
    }
    return {name: value for name, value in (made | changes).items() if value is not ...}


def named(found: dict[str, Any] | None, *mismatches: Any) -> list[str]:
    return list(judge(Record("place", found, mismatches), NOW).rules)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"input": {"to": "jo@example.com"}, "pii_flags": {"flags": ["email"], "policy_reason": "pii_masked"}},
        {"ingested_at": "2026-01-15T12:00:04.9Z"},
        {"ingested_at": "2026-01-15T14:00:00+02:00"},
        {"utm_term": ..., "actorType": ...},
        {"metadata": {"deep": [{"to": "jo@example.com"}]}},
    ],
    ids=[
        "clean",
        "flagged",
        "within tolerance",
        "other timezone",
        "optional fields",
        "nested is not scanned",
    ],
)
def test_what_the_pipeline_makes_is_named_by_no_rule(changes: dict[str, Any]) -> None:
    assert named(fields(**changes)) == []


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("schema.missing", {"pii_flags": ...}),
        ("schema.missing", {"train_ok": ...}),
        ("schema.missing", {"surface": ...}),
        ("schema.missing", {"schema_version": ...}),
        ("schema.unknown", {"added": 1}),
        ("schema.type", {"input": "text"}),
        ("schema.type", {"train_ok": "yes"}),
        ("schema.type", {"utm_term": 7}),
        ("schema.type", {"tenantId": "system"}),
        ("schema.version", {"schema_version": 2}),
        ("schema.version", {"schema_version": "1"}),
        ("schema.version", {"schema_version": True}),
        ("id.missing", {"event_id": ...}),
        ("id.missing", {"event_id": ""}),
        ("id.malformed", {"event_id": "jo@example.com"}),
        ("id.malformed", {"event_id": "e-1\n"}),
        ("id.malformed", {"event_id": 7}),
        ("flags.shape", {"pii_flags": {}}),
        ("flags.shape", {"pii_flags": CLEAN | {"more": 1}}),
        ("flags.shape", {"pii_flags": {"flags": None, "policy_reason": "no_pii_detected"}}),
        ("flags.reason", {"pii_flags": CLEAN | {"policy_reason": "pii_masked"}}),
        ("flags.wrong", {"pii_flags": {"flags": ["email"], "policy_reason": "pii_masked"}}),
        ("flags.wrong", {"input": {"to": "jo@example.com"}}),
        ("time.missing", {"ingested_at": ...}),
        ("time.malformed", {"ingested_at": "2026-01-15T12:00:00"}),
        ("time.malformed", {"ingested_at": "soon"}),
        ("time.malformed", {"ingested_at": 1736942400}),
        ("time.future", {"ingested_at": NOW + timedelta(seconds=6)}),
    ],
)
def test_a_rule_names_what_breaks_it_alone(rule: str, changes: dict[str, Any]) -> None:
    assert named(fields(**changes)) == [rule]


def test_flags_of_another_order_or_label_have_no_known_shape() -> None:
    both = {"input": {"to": "jo@example.com 12345"}}
    right = {"flags": ["email", "postal"], "policy_reason": "pii_masked"}
    assert named(fields(**both, pii_flags=right)) == []
    for flags in (["postal", "email"], ["email", "email", "postal"], ["email", "name"]):
        assert "flags.shape" in named(fields(**both, pii_flags=right | {"flags": flags}))


def test_what_lies_there_without_fields_is_unreadable() -> None:
    assert named(None) == ["record.unreadable"]


def test_where_place_and_record_disagree_the_rule_says_in_what() -> None:
    rules = named(fields(), "tenant", "env", "id", "time")
    assert rules == ["isolation.tenant", "isolation.env", "id.place", "time.place"]


@pytest.mark.parametrize(
    ("stored", "flagged", "eligible", "rule"),
    [
        (True, False, True, None),
        (False, False, False, None),
        (False, True, None, None),
        (True, False, False, "train_ok.wrong"),
        (False, False, True, "train_ok.wrong"),
        (True, True, True, "train_ok.wrong"),
        (True, False, None, "train_ok.undecided"),
        (False, False, None, "train_ok.undecided"),
    ],
)
def test_train_ok_is_what_flags_and_preferences_make_it(
    stored: bool, flagged: bool, eligible: bool | None, rule: str | None
) -> None:
    text = {"to": "jo@example.com"} if flagged else {}
    judged = judge(Record("place", fields(input=text, train_ok=stored)), NOW)
    assert judge_train_ok(judged, eligible) == rule


def test_an_audit_event_has_one_id_and_says_who_acted() -> None:
    event = audit_event(RequestContext(request_id="r-1", tenant_id="t_acme", env="dev", user_id="u"), "x", {})
    made = fields(**event.model_dump(exclude={"pii_flags", "train_ok"}))
    flags = detect(scanned_text(event))
    made |= {"pii_flags": {"flags": flags, "policy_reason": policy_reason(flags)}}
    assert named(made) == []
    for change in ({"traceId": "other"}, {"requestId": None}, {"actorType": None}, {"agentId": "system"}):
        assert named(made | change) == ["audit.trace"]


MAIL = "jo@example.com"
EMAIL: dict[str, Any] = {"flags": ["email"], "policy_reason": "pii_masked"}


def stored(event: DatasetEvent, pii_flags: dict[str, Any], train_ok: bool) -> dict[str, Any]:
    return fields(**event.model_dump() | {"pii_flags": pii_flags, "train_ok": train_ok})


@pytest.mark.parametrize(
    ("event", "flags", "rules"),
    [
        (page_view({}), CLEAN, []),
        (page_view({"utm_source": MAIL}), EMAIL, []),
        (page_view({"utm_source": MAIL}), CLEAN, ["flags.wrong"]),
        (earlier_page_view({"url": "u"}), CLEAN, ["input.partial"]),
        (earlier_page_view({"url": MAIL}), EMAIL, ["input.partial"]),
        (earlier_page_view({"utm_source": MAIL}), CLEAN, ["flags.partial"]),
        (earlier_page_view({"surface": MAIL}), CLEAN, ["flags.partial"]),
        (earlier_page_view({"seo_slug": "12345", "url": MAIL}), EMAIL, ["flags.partial"]),
        # Made out of two fields, of which only one was scanned.
        (earlier_page_view({"referrer": "1234", "utm_source": "56789 1"}), CLEAN, ["flags.partial"]),
        # Put right by hand.
        (earlier_page_view({"utm_source": MAIL}), EMAIL, ["input.partial"]),
        (earlier_page_view({"url": MAIL}), CLEAN, ["flags.wrong"]),
        (dataset_event(utm_source=MAIL), CLEAN, []),
    ],
)
def test_an_event_of_which_a_part_was_scanned_is_named_by_a_rule_of_its_own(
    event: DatasetEvent, flags: dict[str, Any], rules: list[str]
) -> None:
    found = stored(event, flags, not flags["flags"])
    for ordered in (True, False):
        assert list(judge(Record("place", found, ordered=ordered), NOW).rules) == rules


def test_train_ok_of_an_event_whose_part_changes_the_flags_is_not_named_twice() -> None:
    part = earlier_page_view({"utm_source": MAIL})
    for train_ok in (True, False):
        judged = judge(Record("place", stored(part, CLEAN, train_ok)), NOW)
        assert judge_train_ok(judged, True) is None
    right = judge(Record("place", stored(part, EMAIL, True)), NOW)
    assert judge_train_ok(right, True) == "train_ok.wrong"


def test_copies_differ_in_nothing_that_a_caller_sent() -> None:
    again = {"ingested_at": NOW + timedelta(days=1), "train_ok": False, "pii_flags": {}, "schema_version": 2}
    assert content_digest(fields()) == content_digest(fields(**again))
    for change in ({"surface": "other"}, {"env": "prod"}, {"input": {"text": "hello", "x": None}}):
        assert content_digest(fields()) != content_digest(fields(**change))


def test_what_a_rehearsal_sent_is_known_by_its_mark() -> None:
    assert judge(Record("p", fields(metadata={"synthetic": "rehearsal"})), NOW).synthetic
    assert not judge(Record("p", fields(metadata={"synthetic": "other"})), NOW).synthetic
    assert not judge(Record("p", fields(metadata="rehearsal")), NOW).synthetic


def test_every_rule_has_a_severity_and_a_meaning() -> None:
    assert {severity for severity, _ in RULES.values()} == {"info", "warning", "fault"}
    assert all(meaning for _, meaning in RULES.values())
