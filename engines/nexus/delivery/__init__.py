"""Delivery: everything between an event and its sink: group commit, retry, outbox, dead letters."""

from engines.nexus.delivery.delivery import Delivery
from engines.nexus.delivery.observer import Observer
from engines.nexus.delivery.queue import Delivered, Limits, Overloaded
from engines.nexus.delivery.state import DeliveryReads, DeliveryState, LastError, Totals, Undelivered
from engines.nexus.delivery.writers import Refused

__all__ = [
    "Delivered",
    "Delivery",
    "DeliveryReads",
    "DeliveryState",
    "LastError",
    "Limits",
    "Observer",
    "Overloaded",
    "Refused",
    "Totals",
    "Undelivered",
]
