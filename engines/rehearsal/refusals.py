"""The negatives: who may not see the tenant sees nothing of it and changes nothing."""

import secrets
from collections.abc import Mapping
from typing import Any

import httpx
import jwt

from engines.common.identity import ENVS
from engines.rehearsal import claims
from engines.rehearsal.caller import DASHBOARD, Caller, NotCarriedOut, is_absent, words_of
from engines.rehearsal.inside import Inside
from engines.rehearsal.visible import SURFACE, is_empty

Attempt = tuple[str, str, Any]

LOOK: Attempt = ("GET", DASHBOARD, None)
SWITCH: Attempt = ("PUT", "/kill-switches", {"disable_autonomy": True})
SEND: Attempt = ("POST", "/analytics/events/pageview", {"surface": SURFACE})
"""A plain member may send events: for one it is no attempt."""


async def refused(who: Caller, claim: str, status: int, made: Mapping[str, str], *more: Attempt) -> None:
    """Judge the claim: each attempt is answered with ``status`` and names nothing that was made."""
    who.journal.begin(claim)
    answers = [await who.call(*attempt) for attempt in (LOOK, SWITCH, *more)]
    leaks = [one for answer in answers for one in made.values() if one and one in answer.text]
    words = ", ".join(words_of(answer) for answer in answers)
    wrong = [one for one in answers if one.status_code != status and not is_absent(one)]
    if leaks or wrong:
        who.journal.judge(claim, False, f"{words}; what was made is named" if leaks else words)
    else:
        who.journal.judge_where(claim, tuple(path for _, path, _ in (LOOK, SWITCH, *more)), True, words)


async def dashboard_of(who: Caller) -> Any:
    """What the tenant's dashboard says. Raises NotCarriedOut when it is not served."""
    answer = await who.call(*LOOK)
    if answer.status_code != httpx.codes.OK:
        raise NotCarriedOut(f"the dashboard of the {who.who} is not served: {words_of(answer)}")
    return answer.json()


async def try_strangers(owner: Caller, neighbour: Caller, made: Mapping[str, str]) -> None:
    """Another tenant, another env, no env, no token, forged tokens."""
    intruder = neighbour.in_tenant(owner.tenant_id, owner.env)
    await refused(intruder, claims.NEIGHBOUR, 403, made, SEND)
    await _other_env(owner, made)
    await refused(owner.in_tenant(owner.tenant_id, ""), claims.NO_ENV, 400, made, SEND)
    await refused(owner.with_token(""), claims.NO_TOKEN, 401, made, SEND)
    content = jwt.decode(owner.token, options={"verify_signature": False})
    forged = jwt.encode(content, secrets.token_hex(32), algorithm="HS256")
    await refused(owner.with_token(forged), claims.WRONG_KEY, 401, made, SEND)
    unsigned = jwt.encode(content, "", algorithm="none")
    await refused(owner.with_token(unsigned), claims.UNSIGNED, 401, made, SEND)


async def try_expired(owner: Caller, inside: Inside, made: Mapping[str, str]) -> None:
    """The owner's own token, past its expiry."""
    expired = owner.with_token(inside.expired(owner.token))
    await refused(expired, claims.EXPIRED, 401, made, SEND)


async def _other_env(owner: Caller, made: Mapping[str, str]) -> None:
    owner.journal.begin(claims.OTHER_ENV)
    elsewhere = next(env for env in ENVS if env != owner.env)
    answer = await owner.in_tenant(owner.tenant_id, elsewhere).call(*LOOK)
    if answer.status_code != 200:
        owner.journal.judge(claims.OTHER_ENV, False, words_of(answer))
        return
    shown = answer.json()
    leaks = any(one in answer.text for one in made.values() if one)
    if "freshness" not in shown:
        nothing = is_empty(shown) and not leaks
        words = f"{elsewhere}: {'nothing' if nothing else 'something'} is shown"
        owner.journal.judge(claims.OTHER_ENV, nothing, words)
        return
    statuses = sorted({record["status"] for record in shown["freshness"].values()})
    newest = shown["event_sink"]["last_write_at"]
    words = f"{elsewhere}: {', '.join(statuses)}; newest event {newest or 'none'}"
    nothing = newest is None and not leaks
    owner.journal.judge_empty(claims.OTHER_ENV, statuses if nothing else ["seen"], words)
