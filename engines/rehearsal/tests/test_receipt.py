"""Receipts: their exit codes, their Markdown, and what a comparison finds."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from engines.rehearsal import commands
from engines.rehearsal.compare import differences, got_worse
from engines.rehearsal.inside import configuration_of
from engines.rehearsal.journal import Journal
from engines.rehearsal.markdown import markdown
from engines.rehearsal.progress import Progress
from engines.rehearsal.receipt import Claim, Configuration, Host, Receipt, SinkSeen, Step, Verdict
from tests.support.app import SIGNING_SECRET, SYSTEM_KEY, settings

SINK = SinkSeen(
    backend="object_store", backend_class="ObjectStoreSink", target="gs://b/t_a/", kind="stand-in"
)


def receipt(*verdicts: Verdict, **values: Any) -> Receipt:
    claims = [
        Claim(name=f"claim {number}", expected="so", seen="seen", verdict=verdict, seconds=0.1)
        for number, verdict in enumerate(verdicts)
    ]
    defaults: dict[str, Any] = {
        "run": "20260101-000000-abcdef",
        "name": "Acme",
        "tenant_id": "t_a",
        "env": "dev",
        "base_url": "http://127.0.0.1:8000",
        "began_at": datetime(2026, 1, 1, tzinfo=UTC),
        "seconds": 10.0,
        "claims": claims,
        "sink": SINK,
        "time_to_first_fresh": {"events": 0.3},
        "host": Host(kit="0.1.0", project="p", images={"bossman": "sha256:1"}),
        "configuration": Configuration(fingerprint="sha256:a", names=["ENV"]),
    }
    return Receipt.model_validate(defaults | values)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        (["held", "held"], 0),
        (["held", "broken", "unproven"], 1),
        (["held", "unproven"], 3),
        ([], 3),
    ],
)
def test_the_exit_code_follows_the_worst_claim(verdicts: list[Verdict], code: int) -> None:
    assert receipt(*verdicts).exit_code == code


def test_the_markdown_tells_everything_and_breaks_no_table() -> None:
    told = receipt("held", "broken", "unproven", name="A|c`m\ne<b>")
    told.steps = [Step(name="owner: GET /x", status=None, after=0.0, seconds=1.0)]
    page = markdown(told)
    assert page.startswith("# Rehearsal 20260101-000000-abcdef: 1 held, 1 broken, 1 unproven\n")
    for words in (
        "A\\|c'm e&lt;b>, t_a",
        "stand-in, gs://b/t_a/",
        "sha256:1",
        "| events | 0.30 |",
        "no answer",
    ):
        assert words in page
    assert all(line.count("|") - line.count("\\|") in (0, 3, 5, 6) for line in page.splitlines())


def test_two_runs_that_differ_in_nothing_but_their_tenant_are_equal() -> None:
    other = receipt("held", run="20260102-000000-abcdef", tenant_id="t_b", seconds=10.4)
    other.sink = SINK.model_copy(update={"target": "gs://b/t_b/"})
    assert differences(receipt("held"), other) == []
    assert got_worse(receipt("held"), other) == []


def test_a_comparison_tells_claims_times_and_surroundings() -> None:
    before = receipt("held", "broken", "held")
    after = receipt(
        "broken",
        "held",
        seconds=25.0,
        time_to_first_fresh={"events": None},
        sink=SINK.model_copy(update={"backend": "bigquery", "target": "p.d.t", "kind": "cloud"}),
        host=Host(kit="0.2.0", images={"bossman": "sha256:2"}),
        configuration=Configuration(fingerprint="sha256:b", names=["ENV"]),
    )
    assert differences(before, after) == [
        "worse: claim 0: held -> broken (seen)",
        "better: claim 1: broken -> held (seen)",
        "worse: claim 2: held -> missing (not claimed)",
        "time: events: 0.30 s -> never",
        "time: the whole rehearsal: 10.00 s -> 25.00 s",
        "sink: object_store (ObjectStoreSink), stand-in, gs://b/{tenant}/ -> "
        "bigquery (ObjectStoreSink), cloud, p.d.t",
        "kit: 0.1.0 -> 0.2.0",
        "settings: sha256:a -> sha256:b",
        "image bossman: sha256:1 -> sha256:2",
    ]
    assert got_worse(before, after) == ["claim 0", "claim 2"]


@pytest.mark.parametrize(
    ("after", "code", "said"), [("held", 0, "nothing changed\n"), ("broken", 1, "worse: claim 0")]
)
def test_the_command_exits_1_when_a_claim_got_worse(
    capsys: pytest.CaptureFixture[str], after: Verdict, code: int, said: str
) -> None:
    pair = [json.loads(one.model_dump_json()) for one in (receipt("held"), receipt(after))]
    assert commands.compare(json.dumps(pair)) == code
    assert capsys.readouterr().out.startswith(said)


def test_the_fingerprint_follows_the_settings_but_no_secret() -> None:
    first = configuration_of(settings())
    assert first == configuration_of(settings(AUTH_JWT_SIGNING="another secret of at least 32 bytes"))
    assert first.fingerprint != configuration_of(settings(ENV="prod")).fingerprint
    assert first.names == ["AUTH_JWT_SIGNING", "ENV", "NEXUS_BACKEND", "SYSTEM_BOOTSTRAP_KEY"]
    assert SIGNING_SECRET not in first.model_dump_json()
    assert SYSTEM_KEY not in first.model_dump_json()


def test_a_journal_cuts_long_words_and_leaves_no_claim_without_a_verdict(
    capsys: pytest.CaptureFixture[str],
) -> None:
    journal = Journal({"a": "x", "b": "y"}, Progress())
    journal.begin("a")
    journal.judge("a", False, "z" * 1000)
    journal.close("it ended")
    assert [(one.name, one.verdict) for one in journal.claims] == [("a", "broken"), ("b", "unproven")]
    assert len(journal.claims[0].seen) == 300
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == ["broken", "unproven"]


def test_on_a_terminal_one_line_rewrites_itself_and_only_what_matters_stays(
    capsys: pytest.CaptureFixture[str],
) -> None:
    journal = Journal({"a": "x", "b": "y"}, Progress(rewriting=True))
    for name, held in (("a", True), ("b", False)):
        journal.begin(name)
        journal.judge(name, held, "seen")
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "\033[K" in shown
    assert "broken" in shown
