"""Which actions are dangerous, and what licence each needs."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from engines.firearms.models import Level, Licence

DANGEROUS_ACTIONS: Final[dict[str, Level]] = {
    "dangerous_tool_use": "medium",
    "agent_autonomy_high": "high",
    "publish_sensitive": "high",
}
"""Minimum level of each dangerous action; any other action needs no licence."""

_RANK: Final[Mapping[Level, int]] = {"low": 1, "medium": 2, "high": 3}


def is_allowed(
    licences: Iterable[Licence], subject_type: str, subject_id: str, action: str, now: datetime
) -> bool:
    """Whether one of the licences lets exactly this subject take the action now."""
    minimum = DANGEROUS_ACTIONS.get(action)
    return minimum is None or any(
        _in_force(licence, now) and _RANK[licence.level] >= _RANK[minimum]
        for licence in licences
        if (licence.subject_type, licence.subject_id) == (subject_type, subject_id)
    )


def _in_force(licence: Licence, now: datetime) -> bool:
    return licence.status == "active" and (licence.expires_at is None or now <= licence.expires_at)
