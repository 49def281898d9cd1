"""What it means that BigQuery refuses rows or a request: which events are at fault, if any is."""

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.api_core.exceptions import ClientError

from engines.nexus.backends.bigquery_client import BUSY, reason_of
from engines.nexus.backends.bigquery_rows import Row
from engines.nexus.backends.bigquery_table import EventTable
from engines.nexus.backends.sink import SinkError, SinkPermanent, SinkRetryable

CHECK_SECONDS = 4.0
MOST_ROWS = 10_000
"""Refused rows that are remembered."""

REFUSED = (400, 413)
"""HTTP statuses that are about the request itself: malformed, too large."""

STORAGE = re.compile(r"no space left|io error|out of memory|could not (read|write|flush)", re.IGNORECASE)
"""Words for a fault of the place where rows are kept, never of a row."""


class Doubts:
    """Rows, by their insertId, that were in a refused request, and whether another was stored since.

    A table without room refuses every row, one that BigQuery cannot read refuses its own request: what is
    stored in between tells them apart.
    """

    def __init__(self) -> None:
        self._stored = 0
        self._doubted: dict[str, int] = {}
        self._lock = threading.Lock()

    def refused(self, insert_ids: Iterable[str]) -> None:
        """Doubt the rows of a refused request; of several refusals the first counts."""
        with self._lock:
            for insert_id in insert_ids:
                self._doubted.setdefault(insert_id, self._stored)
            while len(self._doubted) > MOST_ROWS:
                del self._doubted[next(iter(self._doubted))]

    def stored(self, insert_ids: Iterable[str]) -> None:
        """BigQuery took the rows."""
        with self._lock:
            for insert_id in insert_ids:
                self._stored += 1
                self._doubted.pop(insert_id, None)

    def is_proven(self, insert_id: str) -> bool:
        """Whether another row was stored since this one was refused."""
        with self._lock:
            return self._stored > self._doubted.get(insert_id, self._stored)


class Judge:
    """Judges the answers to inserts into one table. Its methods block: call them in a thread."""

    def __init__(self, table: EventTable) -> None:
        self._table = table
        self._doubts = Doubts()

    def of_request(self, part: Sequence[Row], error: ClientError) -> SinkError | None:
        """What a refused request means: SinkPermanent is about its rows; None when it was not refused.

        Raises SinkError when the table is at fault.
        """
        if error.code not in REFUSED:
            return None
        return self._of_all(part, reason_of(error), str(error), singly=False)

    def of_rows(self, part: Sequence[Row], errors: Mapping[int, Mapping[str, Any]]) -> dict[int, SinkError]:
        """The refused rows, by their position in the batch, from BigQuery's errors by place in the request.

        Raises SinkError when the errors are not about the rows.
        """
        self._doubts.stored(row.insert_id for place, row in enumerate(part) if place not in errors)
        nameless = [error for error in errors.values() if not error.get("location")]
        if nameless and len(errors) == len(part):
            first = nameless[0]
            raise self._of_all(part, first["reason"], first["message"], singly=True)
        refused: dict[int, SinkError] = {
            part[place].position: self._of_row(error) for place, error in errors.items()
        }
        if refused:
            self._table.check(CHECK_SECONDS)
        return refused

    def _of_all(self, part: Sequence[Row], reason: str, said: str, *, singly: bool) -> SinkError:
        """What it means that no row was taken, and none named; ``singly`` says that each was tried alone."""
        self._table.check(CHECK_SECONDS)
        words = f"refuses the request ({reason})"
        if reason in BUSY or STORAGE.search(said):
            return SinkRetryable(self._table.name, f"{words}: no event is at fault")
        self._doubts.refused(row.insert_id for row in part)
        if (len(part) > 1 and not singly) or all(self._doubts.is_proven(row.insert_id) for row in part):
            return SinkPermanent(self._table.name, words, "refused")
        return SinkRetryable(self._table.name, f"{words}: until another event passes it is not known why")

    def _of_row(self, error: Mapping[str, Any]) -> SinkPermanent:
        """What one row's error means. Raises SinkRetryable when it is not about the row."""
        name, reason = self._table.name, error["reason"]
        column = (error.get("location") or "").partition(".")[0]
        if reason in BUSY or (not column and STORAGE.search(error["message"])):
            raise SinkRetryable(name, f"busy, to be tried again ({reason})")
        if "no such field" in error["message"]:
            self._table.prepared = False
            raise SinkRetryable(name, "a column is missing; it is added by the next write")
        words = f"the column {column} refuses it" if column else "refuses it"
        return SinkPermanent(name, f"{words} ({reason})", "refused")
