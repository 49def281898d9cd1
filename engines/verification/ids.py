"""Every id of a run with a digest of its content, to find the copies.

Both are 8 bytes in one table of SQLite in memory, a fraction of what a dict takes. SQLite is there with
Python, finds a copy the moment it comes, and can mark it. Two of a million ids share their 8 bytes with a
chance of 3 in 100 million; that would show as a conflict.
"""

import sqlite3
from hashlib import blake2b
from types import TracebackType
from typing import Literal, Self

SCHEMA = "CREATE TABLE seen (id INTEGER PRIMARY KEY, content INTEGER NOT NULL, state INTEGER NOT NULL)"
ONCE, CONFLICT, CLAIMED = 0, 1, 2

Claim = Literal["first", "copy", "conflict", "unseen"]


class SeenIds:
    """The ids seen so far."""

    def __init__(self) -> None:
        self._table = sqlite3.connect(":memory:", isolation_level=None)
        self._table.execute("PRAGMA journal_mode = OFF")
        self._table.execute(SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._table.close()

    def add(self, event_id: str, content: bytes) -> str | None:
        """Note the record; the rule that names it when its id was there before."""
        key, value = _key(event_id), int.from_bytes(content, signed=True)
        if self._table.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, 0)", (key, value)).rowcount:
            return None
        [(first,)] = self._table.execute("SELECT content FROM seen WHERE id = ?", (key,))
        if first == value:
            return "id.duplicate"
        self._table.execute("UPDATE seen SET state = ? WHERE id = ?", (CONFLICT, key))
        return "id.conflict"

    def claim(self, event_id: str) -> Claim:
        """Whether this is the id's first claim; an id with two contents cannot be claimed."""
        key = _key(event_id)
        found = self._table.execute("SELECT state FROM seen WHERE id = ?", (key,)).fetchone()
        if found is None:
            return "unseen"
        if found[0] == ONCE:
            self._table.execute("UPDATE seen SET state = ? WHERE id = ?", (CLAIMED, key))
            return "first"
        return "conflict" if found[0] == CONFLICT else "copy"


def _key(event_id: str) -> int:
    digest = blake2b(event_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
