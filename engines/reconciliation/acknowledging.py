"""An operator accepts that events are lost: per hour, how many, who and when."""

from collections.abc import Mapping
from datetime import datetime

from engines.common.collection import Collection
from engines.common.documents import DocumentStore, Scope
from engines.reconciliation.models import ACKNOWLEDGED, AcknowledgedHour, Acknowledgement

MAX_ENTRIES = 100
"""Most acknowledgements of one hour that are kept word for word, the newest; their sum is always whole."""


def acknowledged(store: DocumentStore) -> Collection[AcknowledgedHour]:
    """Where acknowledged losses are kept."""
    return Collection(store, ACKNOWLEDGED, AcknowledgedHour)


async def acknowledge(
    hours: Collection[AcknowledgedHour], scope: Scope, lost: Mapping[datetime, int], by: str, now: datetime
) -> None:
    """Add the lost events of each hour to what is acknowledged. Raises StoreError."""
    for start, events in lost.items():
        entry = Acknowledgement(at=now, by=by, events=events)

        def change(
            present: AcknowledgedHour | None, start: datetime = start, entry: Acknowledgement = entry
        ) -> AcknowledgedHour:
            entries = [*(present.entries if present else []), entry][-MAX_ENTRIES:]
            before = present.events if present else 0
            return AcknowledgedHour(start=start, events=before + entry.events, entries=entries)

        await hours.mutate(scope, start.isoformat(), change)
