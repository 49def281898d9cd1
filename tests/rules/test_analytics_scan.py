"""events.md section 8: which text of an analytics event is scanned, as the existing engines answered."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from engines.analytics.models import AnalyticsEvent
from engines.common.documents import Scope
from engines.dataset.events.schemas import DatasetEvent
from tests.support.callers import Caller, owner_of_new_tenant
from tests.support.records import all_records

PAGEVIEW = (
    *("surface", "page_type", "url", "referrer"),
    *("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"),
    *("seo_slug", "seo_title", "seo_description", "metadata"),
)
FIELDS = {"pageview": PAGEVIEW, "cta-click": (*PAGEVIEW, "cta_id", "label")}
"""Keys of the input of an event, in their order: the whole body."""
TEXTS = {"email": "jo@example.com", "phone": "+49 30 1234567", "clean": "welcome"}
ABSENT = {"pageview": ("cta_id", "label"), "cta-click": ()}
"""No field of the body, so that it is dropped."""


@dataclass(frozen=True)
class Row:
    """A text in one field of one body."""

    path: str
    field: str
    text: str
    nested: bool = False

    def __str__(self) -> str:
        return f"{self.path} {self.field}{' nested' if self.nested else ''} {self.text}"

    @property
    def body(self) -> dict[str, Any]:
        text: Any = TEXTS[self.text]
        if self.field == "metadata":
            text = {"note": {"deep": [text]} if self.nested else text}
        return {"surface": "squared", self.field: text}

    @property
    def input(self) -> dict[str, Any]:
        return dict.fromkeys(FIELDS[self.path]) | {"metadata": {}} | self._known(self.body)

    @property
    def flags(self) -> list[str]:
        scanned = self.field in FIELDS[self.path] and not self.nested and self.text != "clean"
        return [self.text] if scanned else []

    def _known(self, body: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name in FIELDS[self.path]}


def rows() -> Iterator[Row]:
    for path, fields in FIELDS.items():
        for text in TEXTS:
            yield from (Row(path, field, text) for field in (*fields, *ABSENT[path]))
            yield Row(path, "metadata", text, nested=True)


ROWS = list(rows())


@dataclass(frozen=True)
class Found:
    """What was answered and what is stored."""

    said: dict[str, Any]
    event: DatasetEvent
    raw: AnalyticsEvent


async def accepted(owner: Caller, row: Row) -> dict[str, Any]:
    """The answer to a row's event, sent again while the store of a busy machine does not answer."""
    for _ in range(50):
        answer = await owner.send("POST", f"/analytics/events/{row.path}", row.body)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
    assert answer.status_code == httpx.codes.OK, answer.text
    said: dict[str, Any] = answer.json()
    return said


@pytest.fixture(scope="module")
async def sent(http: httpx.AsyncClient, app: FastAPI) -> dict[Row, Found]:
    """Every row's event, sent and read back."""
    owner: Caller = await owner_of_new_tenant(http)
    said = {row: await accepted(owner, row) for row in ROWS}
    services = app.state.services
    events = {one.event_id: one.event for one in await all_records(services.dashboard.sink, owner.tenant_id)}
    raw = {
        one.record.id: one.record
        for one in await services.analytics.events.find(Scope(owner.tenant_id, owner.env))
    }
    return {row: Found(one, events[one["event_id"]], raw[one["event_id"]]) for row, one in said.items()}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_text_anywhere_in_the_body_decides_flags_and_eligibility(row: Row, sent: dict[Row, Found]) -> None:
    found = sent[row]
    assert (found.said["status"], found.said["pii_flags"]) == ("accepted", row.flags)
    reason = "pii_masked" if row.flags else "no_pii_detected"
    assert found.event.pii_flags == {"flags": row.flags, "policy_reason": reason}
    assert found.event.train_ok is not bool(row.flags)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_input_is_the_whole_body_in_the_event_and_in_the_raw_record(row: Row, sent: dict[Row, Found]) -> None:
    found = sent[row]
    assert found.event.input == row.input
    assert found.raw.payload == {"input": row.input, "metadata": row.input["metadata"]}
