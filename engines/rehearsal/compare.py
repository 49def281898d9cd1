"""What changed between two receipts. Pure."""

from collections.abc import Iterator

from engines.rehearsal.receipt import Receipt, Verdict

RANK: dict[Verdict | None, int] = {"held": 0, "unproven": 1, None: 1, "broken": 2}
"""Of verdicts, best first; a claim that is missing was not proven."""

SLOWER = 2.0
"""A time is told when one is this many times the other and they differ by NOTICEABLE."""
NOTICEABLE = 0.5


def differences(before: Receipt, after: Receipt) -> list[str]:
    """One line per difference; none when nothing differs that matters."""
    return [*_claims(before, after), *_times(before, after), *_surroundings(before, after)]


def got_worse(before: Receipt, after: Receipt) -> list[str]:
    """Names of the claims whose verdict got worse."""
    was, is_now = _verdicts(before), _verdicts(after)
    return [name for name in {**was, **is_now} if RANK[is_now.get(name)] > RANK[was.get(name)]]


def _claims(before: Receipt, after: Receipt) -> Iterator[str]:
    was, is_now = _verdicts(before), _verdicts(after)
    seen = {claim.name: claim.seen for claim in after.claims}
    worse = got_worse(before, after)
    for name in {**was, **is_now}:
        if was.get(name) != is_now.get(name):
            direction = "worse" if name in worse else "better"
            words = f"{was.get(name) or 'missing'} -> {is_now.get(name) or 'missing'}"
            yield f"{direction}: {name}: {words} ({seen.get(name, 'not claimed')})"


def _times(before: Receipt, after: Receipt) -> Iterator[str]:
    was: dict[str, float | None] = before.time_to_first_fresh | {"the whole rehearsal": before.seconds}
    is_now: dict[str, float | None] = after.time_to_first_fresh | {"the whole rehearsal": after.seconds}
    for name in {**was, **is_now}:
        old, new = was.get(name), is_now.get(name)
        if _differs(old, new):
            yield f"time: {name}: {_told(old)} -> {_told(new)}"


def _differs(old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return old is not new
    low, high = sorted((old, new))
    return high - low >= NOTICEABLE and high >= SLOWER * low


def _told(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.2f} s"


def _surroundings(before: Receipt, after: Receipt) -> Iterator[str]:
    was, is_now = _facts(before), _facts(after)
    for name in {**was, **is_now}:
        if was.get(name) != is_now.get(name):
            yield f"{name}: {was.get(name, 'none')} -> {is_now.get(name, 'none')}"


def _facts(receipt: Receipt) -> dict[str, str]:
    sink, settings = receipt.sink, receipt.configuration
    # The tenant's id is in the target of some sinks and differs in every run.
    target = sink.target.replace(receipt.tenant_id or "\0", "{tenant}") if sink else ""
    return {
        "env": receipt.env,
        "address": receipt.base_url,
        "sink": f"{sink.backend} ({sink.backend_class}), {sink.kind}, {target}" if sink else "not seen",
        "kit": receipt.host.kit,
        "settings": settings.fingerprint if settings else "unknown",
        "settings' names": ", ".join(settings.names) if settings else "unknown",
        **{f"image {service}": image for service, image in receipt.host.images.items()},
    }


def _verdicts(receipt: Receipt) -> dict[str, Verdict]:
    return {claim.name: claim.verdict for claim in receipt.claims}
