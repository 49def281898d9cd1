"""The records of reconciliation: its newest result per tenant and env, and what operators acknowledged."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from engines.common.documents import Address
from engines.logging.arrival_hours import HOUR

RESULTS = Address("event_reconciliation", "{tenant}_{env}")
ACKNOWLEDGED = Address("event_losses_acknowledged/{tenant}_{env}/hours")

RESULT_KEY = ""
"""A tenant and env have one result."""


class HourCheck(BaseModel):
    """One hour as it was found when it was last compared.

    ``suspected`` events were missing at that moment; ``missing`` ones also at a comparison before it.
    """

    start: datetime
    until: datetime
    accepted: int
    stored: int
    suspected: int = 0
    suspected_at: datetime | None = None
    missing: int = 0
    checked_at: datetime


@dataclass(frozen=True)
class Loss:
    """Events that were acknowledged and are not there, of the hours from ``since`` to ``until``."""

    events: int
    since: datetime
    until: datetime

    def __str__(self) -> str:
        same_day = self.until.date() == self.since.date()
        end = f"{self.until:%H:%M}" if same_day else f"{self.until:%Y-%m-%d %H:%M}"
        return f"acknowledged but missing: {self.events:,}, between {self.since:%Y-%m-%d %H:%M} and {end} UTC"


@dataclass(frozen=True)
class MissingTotal:
    """Missing events of all tenants and envs; ``events`` None, and ``reason`` set, when that is not known."""

    events: int | None
    reason: str | None = None


class Reconciliation(BaseModel):
    """What is known of one tenant and env. ``compared_at`` None: never compared.

    ``failure`` says why the newest attempt could not compare; what was known before it still stands.
    """

    tenant_id: str
    env: str
    hours: list[HourCheck] = []
    compared_at: datetime | None = None
    failure: str | None = None
    failed_at: datetime | None = None
    missing: int = 0
    is_missing: bool = False

    @property
    def loss(self) -> Loss | None:
        """What is missing; None when nothing is known to be."""
        return loss_of({hour.start: hour.missing for hour in self.hours if hour.missing})


class Acknowledgement(BaseModel):
    """Who accepted the loss of how many events, and when."""

    at: datetime
    by: str
    events: int


class AcknowledgedHour(BaseModel):
    """The events of one hour whose loss was acknowledged."""

    start: datetime
    events: int
    entries: list[Acknowledgement]


def loss_of(hours: dict[datetime, int]) -> Loss | None:
    """The missing events of these hours together; None when there are none."""
    if not hours:
        return None
    return Loss(sum(hours.values()), min(hours), max(hours) + HOUR)
