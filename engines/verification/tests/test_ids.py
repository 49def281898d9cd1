"""Copies are found, told from conflicts, and claimed once."""

from engines.verification.ids import SeenIds

ONE, OTHER = b"\x00" * 8, b"\xff" * 8


def test_a_copy_and_a_conflict_are_told_apart() -> None:
    with SeenIds() as ids:
        assert ids.add("e1", ONE) is None
        assert ids.add("e2", OTHER) is None
        assert ids.add("e1", ONE) == "id.duplicate"
        assert ids.add("e2", ONE) == "id.conflict"
        assert ids.add("e2", OTHER) == "id.duplicate"


def test_an_id_is_claimed_once_and_never_with_two_contents() -> None:
    with SeenIds() as ids:
        for event_id, content in (("e1", ONE), ("e1", ONE), ("e2", ONE), ("e2", OTHER)):
            ids.add(event_id, content)
        assert [ids.claim(event_id) for event_id in ("e1", "e1", "e2", "e2", "e3")] == [
            "first",
            "copy",
            "conflict",
            "conflict",
            "unseen",
        ]


def test_many_ids_are_all_told_apart() -> None:
    with SeenIds() as ids:
        assert {ids.add(f"e{number}", ONE) for number in range(50_000)} == {None}
        assert {ids.add(f"e{number}", ONE) for number in range(50_000)} == {"id.duplicate"}
