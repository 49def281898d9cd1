"""The contract of DocumentStore: every adapter passes this suite.

A test file of an adapter subclasses it and provides the fixture ``store``.
"""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from engines.common.documents import (
    STORED_AT,
    SYSTEM,
    Address,
    Document,
    DocumentStore,
    ErasableStore,
    Fields,
    Increment,
    KeyTaken,
    Scope,
    Span,
    StoreRefused,
    Write,
)

SHARED_IDS = "{key}"
SCOPED_IDS = "{tenant}__{env}__{key}"


@pytest.fixture
def address() -> Address:
    """A collection of its own for each test, whose ids do not contain the scope."""
    return Address(f"contract_{uuid4().hex}", SHARED_IDS)


A = Scope("t_a", "dev")
B = Scope("t_b", "dev")
A_STAGING = Scope("t_a", "staging")


def write(address: Address, scope: Scope, key: str, create: bool = False, **fields: Any) -> Write:
    return Write(address, scope, key, fields, create)


def found(document: Document | None) -> Document:
    assert document is not None
    return document


class DocumentStoreContract:
    """What every DocumentStore does."""

    async def test_get_of_nothing_is_none(self, store: DocumentStore, address: Address) -> None:
        assert await store.get(address, A, "x") is None

    async def test_put_then_get_returns_the_fields_with_the_scope(
        self, store: DocumentStore, address: Address
    ) -> None:
        moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
        fields = {
            "text": "grüße 🚀",
            "number": 7,
            "big": 2**63 - 1,
            "ratio": 0.1,
            "flag": True,
            "nothing": None,
            "moment": moment,
            "nested": {"list": [1, {"deep": "er"}], "dotted.key": "kept", "empty": {}},
        }
        await store.put(Write(address, A, "x", fields))
        document = found(await store.get(address, A, "x"))
        assert document.fields == fields | {"tenant_id": "t_a", "env": "dev"}

    async def test_times_come_back_in_utc(self, store: DocumentStore, address: Address) -> None:
        moment = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=5)))
        await store.put(write(address, A, "x", moment=moment))
        document = found(await store.get(address, A, "x"))
        assert document.fields["moment"] == moment

    async def test_put_replaces_the_whole_document(self, store: DocumentStore, address: Address) -> None:
        await store.put(write(address, A, "x", old=1, same={"a": 1, "b": 2}))
        await store.put(write(address, A, "x", new=2, same={"a": 3}))
        document = found(await store.get(address, A, "x"))
        assert document.fields == {"new": 2, "same": {"a": 3}, "tenant_id": "t_a", "env": "dev"}

    async def test_storage_time_moves_with_every_put(self, store: DocumentStore, address: Address) -> None:
        await store.put(write(address, A, "x", n=1))
        first = found(await store.get(address, A, "x")).stored_at
        await asyncio.sleep(0.01)
        await store.put(write(address, A, "x", n=2))
        second = found(await store.get(address, A, "x")).stored_at
        assert first.tzinfo is not None
        assert second > first

    async def test_what_the_caller_holds_is_not_what_is_stored(
        self, store: DocumentStore, address: Address
    ) -> None:
        fields: Fields = {"list": [1]}
        await store.put(Write(address, A, "x", fields))
        fields["list"].append(2)
        found(await store.get(address, A, "x")).fields["list"].append(3)
        assert found(await store.get(address, A, "x")).fields["list"] == [1]

    @pytest.mark.parametrize("other", [B, A_STAGING], ids=["tenant", "env"])
    async def test_another_scope_cannot_read_a_shared_id(
        self, store: DocumentStore, address: Address, other: Scope
    ) -> None:
        await store.put(write(address, A, "x", secret=1))
        assert await store.get(address, other, "x") is None
        assert await store.scan(address, other) == []

    @pytest.mark.parametrize("other", [B, A_STAGING], ids=["tenant", "env"])
    @pytest.mark.parametrize("how", ["put", "create", "put_all", "mutate", "delete"])
    async def test_another_scope_cannot_change_a_shared_id(
        self, store: DocumentStore, address: Address, other: Scope, how: str
    ) -> None:
        await store.put(write(address, A, "x", owner="a"))
        before = await store.get(address, A, "x")
        if how == "delete":
            await store.delete(address, other, "x")
        else:
            with pytest.raises(KeyTaken):
                await self._overwrite(store, address, other, how)
        assert await store.get(address, A, "x") == before
        assert await store.get(address, other, "y") is None

    async def _overwrite(self, store: DocumentStore, address: Address, scope: Scope, how: str) -> None:
        if how == "mutate":
            await store.mutate(address, scope, "x", lambda _: {"owner": "thief"})
        elif how == "put_all":
            await store.put_all([write(address, scope, "y", n=1), write(address, scope, "x", owner="thief")])
        else:
            await store.put(write(address, scope, "x", create=how == "create", owner="thief"))

    async def test_ids_that_contain_the_scope_let_scopes_share_a_key(self, store: DocumentStore) -> None:
        scoped = Address(f"contract_{uuid4().hex}", SCOPED_IDS)
        for scope in (A, B, A_STAGING):
            await store.put(write(scoped, scope, "x", owner=scope.tenant_id + scope.env))
        for scope in (A, B, A_STAGING):
            document = found(await store.get(scoped, scope, "x"))
            assert document.fields["owner"] == scope.tenant_id + scope.env

    async def test_an_ambiguous_id_is_refused_and_never_shared(self, store: DocumentStore) -> None:
        scoped = Address(f"contract_{uuid4().hex}", SCOPED_IDS)
        await store.put(write(scoped, Scope("t_a__dev", "dev"), "u", owner=1))
        with pytest.raises(KeyTaken):
            await store.put(write(scoped, Scope("t_a", "dev"), "dev__u", owner=2))
        assert await store.get(scoped, Scope("t_a", "dev"), "dev__u") is None

    async def test_system_records_carry_no_scope(self, store: DocumentStore, address: Address) -> None:
        await store.put(write(address, SYSTEM, "u", email="a@b.c"))
        assert found(await store.get(address, SYSTEM, "u")).fields == {"email": "a@b.c"}

    async def test_create_refuses_an_existing_document(self, store: DocumentStore, address: Address) -> None:
        await store.put(write(address, A, "x", create=True, n=1))
        with pytest.raises(KeyTaken):
            await store.put(write(address, A, "x", create=True, n=2))
        assert found(await store.get(address, A, "x")).fields["n"] == 1

    async def test_one_of_many_concurrent_creates_wins(self, store: DocumentStore, address: Address) -> None:
        creates = [store.put(write(address, A, "x", create=True, n=n)) for n in range(8)]
        outcomes = await asyncio.gather(*creates, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["KeyTaken"] * 7 + ["NoneType"]

    async def test_put_all_stores_everything(self, store: DocumentStore, address: Address) -> None:
        await store.put(write(address, A, "x0", n=-1, gone=True))
        await store.put_all([write(address, A, f"x{n}", n=n) for n in range(20)])
        assert [document.fields["n"] for document in await store.scan(address, A, order_by="n")] == [
            *range(20)
        ]

    async def test_put_all_with_one_taken_id_stores_nothing(
        self, store: DocumentStore, address: Address
    ) -> None:
        await store.put(write(address, A, "taken", n=0))
        batch = [write(address, A, "free", n=1), write(address, A, "taken", create=True, n=2)]
        with pytest.raises(KeyTaken):
            await store.put_all(batch)
        assert await store.get(address, A, "free") is None
        assert found(await store.get(address, A, "taken")).fields["n"] == 0

    async def test_put_all_with_one_refused_record_stores_nothing(
        self, store: DocumentStore, address: Address
    ) -> None:
        batch = [write(address, A, "good", n=1), write(address, A, "bad", n=Decimal(1))]
        with pytest.raises(StoreRefused):
            await store.put_all(batch)
        assert await store.get(address, A, "good") is None

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (Decimal("1.5"), "Decimal"),
            (2**63, "64 bits"),
            ("\ud800", "Unicode"),
            ([[1]], "list directly inside a list"),
            ({"": 1}, "empty or reserved"),
            ({"__x__": 1}, "empty or reserved"),
            (datetime(2026, 1, 1), "timezone"),  # noqa: DTZ001 - the naive time is the point
            ({str(key): 0 for key in range(60_000)}, "too many values"),
            ([0] * 45_000, "too many values"),
            ({"k" * 1_501: 1}, "longer than 1500 bytes"),
        ],
        ids=[
            *("decimal", "int", "surrogate", "nested_list", "empty_key", "reserved_key", "naive_time"),
            *("keys", "row_18_list", "row_18_long_key"),
        ],
    )
    async def test_a_value_no_document_can_hold_is_refused_by_name(
        self, store: DocumentStore, address: Address, value: Any, words: str
    ) -> None:
        with pytest.raises(StoreRefused, match=words):
            await store.put(write(address, A, "x", value=value))
        assert await store.get(address, A, "x") is None

    async def test_delete_removes_and_repeats(self, store: DocumentStore, address: Address) -> None:
        await store.put(write(address, A, "x", n=1))
        await store.delete(address, A, "x")
        await store.delete(address, A, "x")
        assert await store.get(address, A, "x") is None

    async def test_row_19_a_scan_by_storage_time_brings_the_last_written_first(
        self, store: DocumentStore, address: Address
    ) -> None:
        for key in ("a", "b", "c", "a"):
            await store.put(write(address, A, key, kind="x" if key == "b" else "y"))
            await asyncio.sleep(0.01)
        await store.put(write(address, B, "other", kind="x"))
        found = await store.scan(address, A, order_by=STORED_AT, descending=True)
        assert [document.fields["kind"] for document in found] == ["y", "y", "x"]
        assert [document.stored_at for document in found] == sorted(
            (document.stored_at for document in found), reverse=True
        )
        [newest] = await store.scan(address, A, {"kind": "x"}, STORED_AT, descending=True, limit=1)
        assert newest == found[-1]

    async def test_scan_filters_orders_and_limits(self, store: DocumentStore, address: Address) -> None:
        for n in (3, 1, 2):
            await store.put(write(address, A, f"x{n}", n=n, kind="odd" if n % 2 else "even", on=n > 1))
        await store.put(write(address, A, "y", kind="odd"))

        async def numbers(**how: Any) -> list[int | None]:
            return [document.fields.get("n") for document in await store.scan(address, A, **how)]

        assert await numbers(order_by="n") == [1, 2, 3]
        assert await numbers(order_by="n", descending=True, limit=2) == [3, 2]
        assert await numbers(where={"kind": "odd"}, order_by="n") == [1, 3]
        assert await numbers(where={"kind": "odd", "on": True}) == [3]
        assert await numbers(where={"n": 2}) == [2]
        assert await numbers(where={"kind": "none"}) == []
        assert await numbers() == [1, 2, 3, None]

    async def test_mutate_creates_and_changes(self, store: DocumentStore, address: Address) -> None:
        def increment(present: Fields | None) -> Fields:
            return {"n": (present or {"n": 0})["n"] + 1}

        assert await store.mutate(address, A, "x", increment) == {"n": 1}
        assert await store.mutate(address, A, "x", increment) == {"n": 2}
        assert found(await store.get(address, A, "x")).fields["n"] == 2

    async def test_concurrent_mutations_lose_nothing(self, store: DocumentStore, address: Address) -> None:
        def increment(present: Fields | None) -> Fields:
            return {"n": (present or {"n": 0})["n"] + 1}

        await asyncio.gather(*(store.mutate(address, A, "x", increment) for _ in range(6)))
        assert found(await store.get(address, A, "x")).fields["n"] == 6

    async def test_a_mutation_that_raises_writes_nothing(
        self, store: DocumentStore, address: Address
    ) -> None:
        def refuse(present: Fields | None) -> Fields:
            raise LookupError("no")

        await store.put(write(address, A, "x", n=1))
        with pytest.raises(LookupError):
            await store.mutate(address, A, "x", refuse)
        assert found(await store.get(address, A, "x")).fields["n"] == 1

    async def test_ping_answers(self, store: DocumentStore) -> None:
        await store.ping()

    @pytest.mark.parametrize("key", ["", ".", "..", "a/b", "__x__", "x" * 1501, "\ud800"])
    async def test_a_key_no_document_can_have_is_refused_and_never_found(
        self, store: DocumentStore, address: Address, key: str
    ) -> None:
        with pytest.raises(StoreRefused):
            await store.put(write(address, A, key, n=1))
        assert await store.get(address, A, key) is None
        await store.delete(address, A, key)

    async def test_scan_bounds_the_ordered_field(self, store: DocumentStore, address: Address) -> None:
        start = datetime(2026, 1, 1, tzinfo=UTC)
        for n in range(6):
            await store.put(write(address, A, f"x{n}", at=start + timedelta(hours=n), n=n, odd=bool(n % 2)))

        async def numbers(first: int | None, last: int | None, **how: Any) -> list[int]:
            span = Span(
                None if first is None else start + timedelta(hours=first),
                None if last is None else start + timedelta(hours=last),
            )
            documents = await store.scan(address, A, order_by="at", span=span, **how)
            return [document.fields["n"] for document in documents]

        assert await numbers(2, 4) == [2, 3]
        assert await numbers(4, None) == [4, 5]
        assert await numbers(None, 2) == [0, 1]
        assert await numbers(1, 6, where={"odd": True}, limit=2) == [1, 3]
        assert await numbers(1, 4, descending=True) == [3, 2, 1]
        await store.put(write(address, A, "text", at="2026-01-01T02:00:00Z", n=6))
        await store.put(write(address, A, "none", n=7))
        assert await numbers(0, None) == [0, 1, 2, 3, 4, 5]
        odd = {"odd": True}
        bounds = Span(start + timedelta(hours=2), start + timedelta(hours=6))
        assert await store.count(address, A, order_by="at", span=bounds) == 4
        assert await store.count(address, A, odd, order_by="at", span=bounds) == 2

    async def test_count_counts_the_scopes_own(self, store: DocumentStore, address: Address) -> None:
        for n in range(5):
            await store.put(write(address, A, f"a{n}", kind="odd" if n % 2 else "even"))
        await store.put(write(address, B, "b", kind="odd"))
        assert await store.count(address, A) == 5
        assert await store.count(address, A, {"kind": "odd"}) == 2
        assert await store.count(address, A_STAGING) == 0

    async def test_a_merging_write_adds_and_keeps_what_it_does_not_name(self, store: DocumentStore) -> None:
        own = Address(f"contract_{uuid4().hex}/{{tenant}}_{{env}}/sums")
        for by in (5, -2):
            await store.put_all([Write(own, A, "x", {"n": Increment(by), f"by{by}": True}, merge=True)])
        assert found(await store.get(own, A, "x")).fields == {
            "n": 3,
            "by5": True,
            "by-2": True,
            "tenant_id": "t_a",
            "env": "dev",
        }
        assert await store.get(own, B, "x") is None

    async def test_concurrent_increments_lose_nothing(self, store: DocumentStore) -> None:
        own = Address(f"contract_{uuid4().hex}/{{tenant}}_{{env}}/sums")
        add = [Write(own, A, "x", {"n": Increment(1)}, merge=True)]
        await asyncio.gather(*(store.put_all(add) for _ in range(20)))
        assert found(await store.get(own, A, "x")).fields["n"] == 20

    async def test_increments_and_a_refused_create_are_all_or_nothing(self, store: DocumentStore) -> None:
        name = f"contract_{uuid4().hex}/{{tenant}}_{{env}}"
        events, sums = Address(f"{name}/events"), Address(f"{name}/sums")
        batch = [
            write(events, A, "e", create=True, n=1),
            Write(sums, A, "x", {"n": Increment(1)}, merge=True),
        ]
        await store.put_all(batch)
        with pytest.raises(KeyTaken):
            await store.put_all(batch)
        assert found(await store.get(sums, A, "x")).fields["n"] == 1

    async def test_a_batch_of_a_thousand_writes_is_one(self, store: DocumentStore, address: Address) -> None:
        await store.put_all([write(address, A, f"x{n:04}", create=True, n=n) for n in range(1000)])
        assert await store.count(address, A) == 1000

    async def test_a_merge_into_a_shared_collection_is_refused_in_code(self, address: Address) -> None:
        with pytest.raises(ValueError, match="scope alone"):
            Write(address, A, "x", {}, merge=True)

    async def test_a_mutation_stores_what_goes_with_it_or_nothing(
        self, store: DocumentStore, address: Address
    ) -> None:
        beside = [write(address, SYSTEM, "beside", create=True, n=1)]
        await store.mutate(address, A, "x", lambda _: {"n": 1}, also=beside)
        assert found(await store.get(address, SYSTEM, "beside")).fields == {"n": 1}
        with pytest.raises(KeyTaken):
            await store.mutate(address, A, "x", lambda _: {"n": 2}, also=beside)
        assert found(await store.get(address, A, "x")).fields["n"] == 1

    async def test_every_write_counts_as_a_change_of_its_collection_and_scope(
        self, store: DocumentStore, address: Address
    ) -> None:
        other = Address(f"{address.name}_other")
        seen = [store.changes(address, A)]
        await store.put(write(address, A, "x", n=1))
        seen.append(store.changes(address, A))
        await store.put_all([write(address, A, "y", n=1), write(other, A, "y", n=1)])
        seen.append(store.changes(address, A))
        await store.mutate(address, A, "x", lambda _: {"n": 2}, [write(other, A, "z", create=True)])
        seen.append(store.changes(address, A))
        await store.delete(address, A, "x")
        seen.append(store.changes(address, A))
        assert seen == [0, 1, 2, 3, 4]
        assert (store.changes(other, A), store.changes(address, A_STAGING)) == (2, 0)

    async def test_a_read_is_no_change(self, store: DocumentStore, address: Address) -> None:
        await store.get(address, A, "x")
        await store.scan(address, A)
        await store.count(address, A)
        assert store.changes(address, A) == 0

    async def test_a_batch_deletes_with_its_writes_or_not_at_all(
        self, store: DocumentStore, address: Address
    ) -> None:
        for key in ("gone", "stays"):
            await store.put(write(address, A, key, n=0))
        deletes = [Write(address, SYSTEM, key, {}, delete=True) for key in ("gone", "never was")]
        await store.put_all([*deletes, write(address, A, "new", create=True, n=1)])
        assert [document.fields["n"] for document in await store.scan(address, A)] == [1, 0]
        more = Write(address, SYSTEM, "stays", {}, delete=True)
        with pytest.raises(KeyTaken):
            await store.put_all([more, write(address, A, "new", create=True, n=2)])
        assert await store.get(address, A, "stays") is not None
        await store.mutate(address, A, "new", lambda _: {"n": 3}, also=[more])
        assert [document.fields["n"] for document in await store.scan(address, A)] == [3]

    async def test_a_delete_in_a_shared_collection_is_refused_in_code(self, address: Address) -> None:
        with pytest.raises(ValueError, match="scope alone"):
            Write(address, A, "x", {}, delete=True)

    async def test_a_merge_of_the_systems_keeps_what_a_scope_wrote(
        self, store: DocumentStore, address: Address
    ) -> None:
        await store.put(write(address, A, "x", n=1, kept="k"))
        await store.put_all([Write(address, SYSTEM, "x", {"n": Increment(2)}, merge=True)])
        fields = found(await store.get(address, A, "x")).fields
        assert fields == {"n": 3, "kept": "k", "tenant_id": "t_a", "env": "dev"}

    async def test_a_mutation_works_out_what_goes_with_it(
        self, store: DocumentStore, address: Address
    ) -> None:
        def following(present: Fields | None) -> Fields:
            return {"n": present["n"] + 1 if present else 1}

        def entry(fields: Fields) -> list[Write]:
            return [write(address, A, f"entry-{fields['n']}", create=True)]

        await asyncio.gather(*(store.mutate(address, A, "x", following, entry) for _ in range(6)))
        assert found(await store.get(address, A, "x")).fields["n"] == 6
        assert await store.count(address, A) == 7
        await store.put(write(address, A, "entry-7"))
        with pytest.raises(KeyTaken):
            await store.mutate(address, A, "x", following, entry)
        assert found(await store.get(address, A, "x")).fields["n"] == 6

    async def test_get_all_answers_in_the_order_of_the_keys(
        self, store: DocumentStore, address: Address
    ) -> None:
        for key in ("b", "a"):
            await store.put(write(address, A, key, name=key))
        await store.put(write(address, B, "foreign"))
        asked = ["a", "none", "b", "foreign", "a"]
        answers = await store.get_all(address, A, asked)
        names = [answer.fields["name"] if answer else None for answer in answers]
        assert names == ["a", None, "b", None, "a"]
        assert await store.get_all(address, A, []) == []

    async def test_delete_if_deletes_what_meets_the_condition(
        self, store: DocumentStore, address: Address
    ) -> None:
        await store.put(write(address, A, "x", n=1))
        assert not await store.delete_if(address, A, "x", lambda fields: fields["n"] == 2)
        assert not await store.delete_if(address, B, "x", lambda _: True)
        assert not await store.delete_if(address, A, "none", lambda _: True)
        assert await store.get(address, A, "x") is not None
        assert await store.delete_if(address, A, "x", lambda fields: fields["n"] == 1)
        assert await store.get(address, A, "x") is None

    async def test_delete_if_never_deletes_what_was_changed_meanwhile(
        self, store: DocumentStore, address: Address
    ) -> None:
        def added(present: Fields | None) -> Fields:
            return {"n": (present or {"n": 0})["n"] + 1}

        await store.put(write(address, A, "x", n=0))
        calls = [store.delete_if(address, A, "x", lambda fields: fields["n"] == 0) for _ in range(3)]
        await asyncio.gather(*calls, *(store.mutate(address, A, "x", added) for _ in range(5)))
        assert found(await store.get(address, A, "x")).fields["n"] == 5

    async def test_a_moved_document_lies_under_its_new_key_alone(
        self, store: DocumentStore, address: Address
    ) -> None:
        def joined(present: Fields | None, earlier: Fields | None) -> Fields:
            return {"here": (present or {}).get("n"), "before": (earlier or {}).get("n"), "n": 3}

        assert await store.move(address, A, "old", "new", joined) == {"here": None, "before": None, "n": 3}
        await store.put(write(address, A, "old", n=1))
        assert await store.move(address, A, "old", "new", joined) == {"here": 3, "before": 1, "n": 3}
        assert await store.get(address, A, "old") is None
        assert found(await store.get(address, A, "new")).fields["n"] == 3
        assert await store.count(address, A) == 1

    async def test_a_move_that_fails_changes_nothing(self, store: DocumentStore, address: Address) -> None:
        def refuse(*present: Fields | None) -> Fields:
            raise LookupError("no")

        def clean(*present: Fields | None) -> Fields:
            return {"n": 2}

        def unstorable(*present: Fields | None) -> Fields:
            return {"n": Decimal(1)}

        await store.put(write(address, A, "old", n=1))
        await store.put(write(address, B, "foreign", n=0))
        for key, change, error in (
            ("new", refuse, LookupError),
            ("new", unstorable, StoreRefused),
            ("foreign", clean, KeyTaken),
        ):
            with pytest.raises(error):
                await store.move(address, A, "old", key, change)
        assert [document.fields["n"] for document in await store.scan(address, A)] == [1]
        assert [document.fields["n"] for document in await store.scan(address, B)] == [0]

    async def test_a_move_leaves_another_scopes_document_alone(
        self, store: DocumentStore, address: Address
    ) -> None:
        def told(present: Fields | None, earlier: Fields | None) -> Fields:
            return {"earlier": earlier}

        await store.put(write(address, B, "old", n=0))
        assert await store.move(address, A, "old", "new", told) == {"earlier": None}
        assert found(await store.get(address, B, "old")).fields["n"] == 0

    async def test_concurrent_moves_lose_and_double_nothing(
        self, store: DocumentStore, address: Address
    ) -> None:
        def added(present: Fields | None, earlier: Fields | None) -> Fields:
            return {"n": sum(fields["n"] for fields in (present, earlier) if fields) + 1}

        await store.put(write(address, A, "old", n=10))
        await asyncio.gather(*(store.move(address, A, "old", "new", added) for _ in range(5)))
        assert [document.fields["n"] for document in await store.scan(address, A)] == [15]
        assert store.changes(address, A) == 6

    async def test_erase_forgets_the_scope_alone_and_may_be_repeated(
        self, store: ErasableStore, address: Address
    ) -> None:
        await store.put_all([write(address, A, f"a{number}", create=True, n=number) for number in range(300)])
        await store.put(write(address, B, "b", n=1))
        await store.put(write(address, A_STAGING, "s", n=1))
        assert [await store.erase(address, A) for _ in range(2)] == [300, 0]
        assert [await store.count(address, scope) for scope in (A, B, A_STAGING)] == [0, 1, 1]

    async def test_erase_of_the_systems_scope_is_refused_in_code(
        self, store: ErasableStore, address: Address
    ) -> None:
        with pytest.raises(ValueError, match="one by one"):
            await store.erase(address, SYSTEM)
