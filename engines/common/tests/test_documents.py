"""Collection, the typed face of a document store, and how document ids and owners are made."""

import json
from typing import Any

import pytest
from pydantic import BaseModel

from engines.common.collection import Collection
from engines.common.documents import (
    SYSTEM,
    Address,
    Scope,
    StoreRefused,
    StoreUnreadable,
    Write,
    document_path,
    owns,
    scope_fields,
)
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import MovableClock

NOTES = Address("notes")
SCOPE = Scope("t_acme", "dev")
ELSEWHERE = [Scope("t_globex", "dev"), Scope("t_acme", "prod")]


class Note(BaseModel):
    """A record for these tests."""

    rank: int
    kind: str = "plain"
    more: dict[str, Any] = {}


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def store(clock: MovableClock) -> MemoryDocumentStore:
    return MemoryDocumentStore(clock)


@pytest.fixture
def notes(store: MemoryDocumentStore) -> Collection[Note]:
    return Collection(store, NOTES, Note)


@pytest.mark.parametrize(
    ("template", "expected"),
    [("{key}", "k"), ("{tenant}_{env}_{key}", "t_acme_dev_k"), ("{tenant}__{env}__{key}", "t_acme__dev__k")],
)
def test_a_document_id_is_made_of_the_template(template: str, expected: str) -> None:
    assert document_path(Address("c", template), SCOPE, "k") == ("c", expected)


@pytest.mark.parametrize("key", ["{tenant}", "{0}", "{", "}}"])
def test_a_key_is_never_read_as_a_template(key: str) -> None:
    assert document_path(NOTES, SCOPE, key) == ("notes", key)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"tenant_id": "t_acme", "env": "dev", "x": 1}, True),
        ({"tenant_id": "t_globex", "env": "dev"}, False),
        ({"tenant_id": "t_acme", "env": "prod"}, False),
        ({"tenant_id": "t_acme"}, False),
        ({}, False),
    ],
)
def test_a_document_belongs_to_the_scope_in_its_fields(fields: dict[str, Any], expected: bool) -> None:
    assert owns(SCOPE, fields) is expected


def test_system_records_carry_no_scope() -> None:
    assert scope_fields(SYSTEM) == {}
    assert scope_fields(SCOPE) == {"tenant_id": "t_acme", "env": "dev"}


async def test_a_record_comes_back_with_its_storage_time(
    notes: Collection[Note], clock: MovableClock
) -> None:
    await notes.put(SCOPE, "k", Note(rank=1))
    stored_at = clock.now
    clock.advance(seconds=9)
    stored = await notes.get(SCOPE, "k")
    assert stored is not None
    assert (stored.record, stored.stored_at, notes.source) == (Note(rank=1), stored_at, "memory")


@pytest.mark.parametrize("other", ELSEWHERE, ids=["tenant", "env"])
async def test_another_scope_sees_nothing(notes: Collection[Note], other: Scope) -> None:
    await notes.put(SCOPE, "k", Note(rank=1))
    await notes.delete(other, "k")
    assert (await notes.get(other, "k"), await notes.find(other)) == (None, [])
    assert len(await notes.find(SCOPE)) == 1


@pytest.mark.parametrize(
    ("how", "ranks"),
    [
        ({}, [3, 1, 2]),
        ({"order_by": "rank"}, [1, 2, 3]),
        ({"order_by": "-rank"}, [3, 2, 1]),
        ({"order_by": "-rank", "limit": 1}, [3]),
        ({"where": {"kind": "odd"}, "order_by": "rank"}, [1, 3]),
        ({"where": {"kind": "none"}}, []),
    ],
    ids=str,
)
async def test_find_filters_orders_and_limits(
    notes: Collection[Note], how: dict[str, Any], ranks: list[int]
) -> None:
    for key, rank in (("a", 3), ("b", 1), ("c", 2)):
        await notes.put(SCOPE, key, Note(rank=rank, kind="odd" if rank % 2 else "even"))
    assert [stored.record.rank for stored in await notes.find(SCOPE, **how)] == ranks


@pytest.mark.parametrize("levels", [25, 300, 900])
async def test_a_record_nested_too_deeply_is_refused_and_not_stored(
    notes: Collection[Note], levels: int
) -> None:
    more = json.loads('{"m":' * levels + "1" + "}" * levels)
    with pytest.raises(StoreRefused, match="nested"):
        await notes.put(SCOPE, "k", Note(rank=1, more=more))
    assert await notes.get(SCOPE, "k") is None


@pytest.mark.parametrize("fields", [{}, {"rank": None}, {"rank": "secret text"}], ids=str)
async def test_a_stored_record_of_another_shape_is_a_store_error_without_its_content(
    notes: Collection[Note], store: MemoryDocumentStore, fields: dict[str, Any]
) -> None:
    await store.put(Write(NOTES, SCOPE, "k", fields))
    words = "memory: a record in notes does not have the expected shape"
    with pytest.raises(StoreUnreadable) as one:
        await notes.get(SCOPE, "k")
    with pytest.raises(StoreUnreadable) as many:
        await notes.find(SCOPE)
    assert (str(one.value), str(many.value)) == (words, words)
