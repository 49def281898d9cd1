"""Analytics events and the bodies that they came with: the whole body is their input.

Earlier releases kept a part of it there, so that ``surface``, ``utm_*`` and ``seo_*`` were not scanned. What
was left out stands beside the input in the event, so that the body can be put together again.
"""

from engines.analytics.models import CtaClickBody, PageviewBody
from engines.dataset.events.schemas import DatasetEvent

BODIES: dict[str | None, type[PageviewBody]] = {"pageview": PageviewBody, "cta_click": CtaClickBody}


def is_partial(event: DatasetEvent) -> bool:
    """Whether it is an analytics event whose input lacks a field of the body."""
    body = BODIES.get(event.analytics_event_type)
    return body is not None and not body.model_fields.keys() <= event.input.keys()


def whole(event: DatasetEvent) -> DatasetEvent:
    """An analytics event with its whole body as the input, in the body's order; any other one as it is."""
    body = BODIES.get(event.analytics_event_type)
    if body is None:
        return event
    known = {name: getattr(event, name, None) for name in body.model_fields} | event.input
    if known.get("event_type") == event.analytics_event_type:
        del known["event_type"]  # was no field of the body
    return event.model_copy(update={"input": dict.fromkeys(body.model_fields) | known})


def is_ordered(event: DatasetEvent) -> bool:
    """Whether the order of the input is known: that of the body, and nothing else is in it."""
    body = BODIES.get(event.analytics_event_type)
    return body is not None and body.model_fields.keys() == event.input.keys()
