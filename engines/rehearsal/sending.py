"""The walk, second half: events arrive, are flagged, and lie in the sink as they should."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from engines.common.rehearsal_mark import MARK
from engines.nexus.backends.sink import Envelope, SinkError
from engines.rehearsal import claims
from engines.rehearsal.caller import Caller, words_of
from engines.rehearsal.claims import LIMIT_SECONDS
from engines.rehearsal.inside import Inside
from engines.rehearsal.refusals import dashboard_of
from engines.rehearsal.visible import SURFACE
from engines.rehearsal.watching import POLL_SECONDS, Watching

PREFERENCE = "/privacy/train-prefs/user"


@dataclass(frozen=True)
class Sent:
    """One event and what must become of it."""

    name: str
    answer: httpx.Response
    flags: list[str]
    train_ok: bool
    at: float = field(default_factory=time.monotonic)

    @property
    def said(self) -> dict[str, Any]:
        """The answer's body; empty when it is none."""
        try:
            found = self.answer.json()
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


async def send_events(owner: Caller, watching: Watching, made: dict[str, str]) -> list[Sent]:
    """One clean, one with personal data, one of a user who has opted out; judges what was answered."""
    journal = owner.journal
    journal.begin(claims.ACCEPTED)
    made["write before"] = (await dashboard_of(owner))["event_sink"]["last_write_at"] or ""
    sent = [
        Sent("clean", await _send(owner, "pageview", note="welcome"), [], True),
        Sent(
            "with an e-mail address", await _send(owner, "pageview", note="jo@example.com"), ["email"], False
        ),
    ]
    opted_out = {"user_id": owner.user_id, "opt_out": True}
    preference = await owner.call("POST", PREFERENCE, opted_out)
    watching.wrote("training_prefs")
    sent.append(Sent("opted out", await _send(owner, "cta-click", note="welcome"), [], False))
    watching.wrote("events", "analytics")
    _judge_accepted(owner, sent, preference)
    flags = [one.said.get("pii_flags") for one in sent]
    told = ", ".join("unknown" if one is None else " ".join(one) or "none" for one in flags)
    right = flags == [one.flags for one in sent]
    journal.judge_where(claims.FLAGGED, ("/analytics/events/",), right, told)
    return sent


def _judge_accepted(owner: Caller, sent: list[Sent], preference: httpx.Response) -> None:
    """Answers that do not say where the event is durable leave it open."""
    held = {"status": "accepted", "durable_in": "sink"}
    if all(one.said.get("status") == "accepted" and "durable_in" not in one.said for one in sent):
        words = "3 accepted, but the answers do not say where they are durable"
        owner.journal.leave(claims.ACCEPTED, words)
        return
    accepted = [held.items() <= one.said.items() for one in sent]
    words = ", ".join(
        f"{words_of(one.answer)} durable in {one.said.get('durable_in', 'nothing')}" for one in sent
    )
    all_held = all(accepted) and preference.status_code == 200
    owner.journal.judge_where(claims.ACCEPTED, ("/analytics/events/", PREFERENCE), all_held, words)


async def _send(owner: Caller, kind: str, note: str) -> httpx.Response:
    body = {"surface": SURFACE, "metadata": MARK | {"note": note}}
    return await owner.call("POST", f"/analytics/events/{kind}", body)


async def judge_stored(owner: Caller, inside: Inside, sent: list[Sent]) -> None:
    """Look into the sink until it holds what was sent, and judge it."""
    journal = owner.journal
    journal.begin(claims.HELD)
    if not any("event_id" in one.said for one in sent):
        for name in (claims.HELD, claims.STORED):
            journal.leave(name, "the answers carry no event id to look for")
        return
    ids = {one.said.get("event_id", "") for one in sent}
    found, failure = await _found(owner, inside, ids, sent[-1].at + LIMIT_SECONDS)
    by_id: dict[str, list[Envelope]] = {}
    for envelope in found:
        by_id.setdefault(envelope.event_id, []).append(envelope)
    stored = [by_id.get(one.said.get("event_id", ""), []) for one in sent]
    whole = all(len(copies) == 1 and _is_own(copies[0], owner) for copies in stored)
    copies = ", ".join(f"{one.name}: {len(held)}" for one, held in zip(sent, stored, strict=True))
    journal.judge(claims.HELD, whole and not failure, failure or copies)
    if failure:
        journal.leave(claims.STORED, failure)
        return
    flagged = [
        bool(held)
        and (held[0].event.pii_flags.get("flags"), held[0].event.train_ok) == (one.flags, one.train_ok)
        for one, held in zip(sent, stored, strict=True)
    ]
    words = ", ".join(
        f"{one.name}: {str(held[0].event.train_ok).lower() if held else 'not there'}"
        for one, held in zip(sent, stored, strict=True)
    )
    journal.judge(claims.STORED, all(flagged), words)


async def _found(owner: Caller, inside: Inside, ids: set[str], ends: float) -> tuple[list[Envelope], str]:
    """The sink's events once all ids are there or the time is over; and why they could not be read."""
    while True:
        found: list[Envelope] = []
        failure = ""
        try:
            found = await inside.events(owner.tenant_id, owner.env)
        except SinkError as error:
            failure = str(error)
        if ids <= {envelope.event_id for envelope in found} or time.monotonic() > ends:
            return found, failure
        await asyncio.sleep(POLL_SECONDS)


def _is_own(envelope: Envelope, owner: Caller) -> bool:
    event = envelope.event
    own = (event.tenantId, event.env, event.agentId) == (owner.tenant_id, owner.env, owner.user_id)
    return own and MARK.items() <= event.metadata.items()
