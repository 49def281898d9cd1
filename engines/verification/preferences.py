"""Which training preference was in force when an event was stored.

A preference has no history: only its newest value and the time of that are kept. So what was in force before
that time is not known, and is not guessed.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from engines.common.clock import Clock, utc_now
from engines.common.documents import Scope
from engines.privacy.rules import train_ok
from engines.privacy.service import PrivacyService

KEPT = 10_000
"""Answers that are kept, so that a tenant with many users is read in bounded memory."""

UNDER_WAY = timedelta(seconds=1)
"""An event may have looked at the preferences this long before its ``ingested_at``."""

Unknown = Literal["unknown"]


@dataclass(frozen=True)
class _Read:
    """What a look at the store found, and when it began."""

    read_at: datetime
    opt_out: bool | None = None
    stored_at: datetime | None = None

    def at(self, moment: datetime | None) -> bool | Unknown | None:
        """The preference in force then; None when there was none."""
        if moment is not None and moment >= self.read_at:
            return "unknown"
        if self.stored_at is None:
            return None  # nothing deletes a preference: there never was one
        known = moment is not None and self.stored_at + UNDER_WAY < moment
        return self.opt_out if known else "unknown"


class PreferencesInForce:
    """The preferences as they were; ``privacy`` None means that they cannot be read from here."""

    def __init__(self, privacy: PrivacyService | None, clock: Clock = utc_now) -> None:
        self._privacy = privacy
        self._clock = clock
        self._kept: OrderedDict[tuple[Scope, str | None], _Read] = OrderedDict()

    async def eligible(self, scope: Scope, user_id: str, moment: datetime | None) -> bool | None:
        """Whether an event without PII was eligible; None when that is not known. Raises StoreError."""
        if self._privacy is None:
            return None
        user = (await self._read(self._privacy, scope, user_id)).at(moment)
        if user is not None:
            return None if user == "unknown" else train_ok(False, user, None)
        tenant = (await self._read(self._privacy, scope, None)).at(moment)
        return None if tenant == "unknown" else train_ok(False, None, tenant)

    async def _read(self, privacy: PrivacyService, scope: Scope, user_id: str | None) -> _Read:
        key = scope, user_id
        if key not in self._kept:
            read_at = self._clock()
            stored = await privacy.stored_preference(scope, user_id)
            found = (stored.record.opt_out, stored.stored_at) if stored else (None, None)
            self._kept[key] = _Read(read_at, *found)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]
