"""Password hashes: the stored form of the contract, and how bad ones are met."""

import hashlib
import re

import pytest

from engines.identity.passwords import HashQueue, hash_password, verify_password

QUEUE = HashQueue()
TEXTS = ["correct horse", "", "grüße 🚀", "\x00", "p" * 10_000]


def independent(password: str, salt: str) -> str:
    """The contract's hash, computed here: the salt input is the text of its hex form."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), 100_000, 32).hex()


@pytest.mark.parametrize("password", TEXTS, ids=["ascii", "empty", "unicode", "nul", "long"])
async def test_a_hash_is_what_an_independent_computation_gives(password: str) -> None:
    stored = await hash_password(password, QUEUE)
    assert re.fullmatch("[0-9a-f]{64}:[0-9a-f]{32}", stored)
    digest, salt = stored.split(":")
    assert digest == independent(password, salt)


@pytest.mark.parametrize("password", TEXTS, ids=["ascii", "empty", "unicode", "nul", "long"])
async def test_an_independently_made_hash_is_verified(password: str) -> None:
    salt = "00112233445566778899aabbccddeeff"
    stored = f"{independent(password, salt)}:{salt}"
    assert await verify_password(password, stored, QUEUE) is True
    assert await verify_password(password + "x", stored, QUEUE) is False


async def test_the_same_password_never_has_the_same_hash() -> None:
    first, second = await hash_password("p", QUEUE), await hash_password("p", QUEUE)
    assert first.split(":")[0] != second.split(":")[0]
    assert first.split(":")[1] != second.split(":")[1]


async def test_a_lone_surrogate_is_a_password_like_any_other() -> None:
    stored = await hash_password("\ud800", QUEUE)
    assert await verify_password("\ud800", stored, QUEUE) is True
    assert await verify_password("?", stored, QUEUE) is False


SALT = "ab" * 16


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "",
        ":",
        "no separator",
        independent("p", ""),
        f"{independent('p', '')}:",
        f"{independent('p', 'absent')}:",
        f":{SALT}",
        f"{independent('p', SALT)[:-1]}:{SALT}",
        f"{independent('p', SALT).upper()}:{SALT}",
        f"{independent('p', SALT)}:{SALT}:",
        f"é{independent('p', SALT)}:{SALT}",
    ],
    ids=lambda stored: ascii(stored)[:24],
)
async def test_a_missing_or_malformed_hash_matches_nothing(stored: str | None) -> None:
    assert await verify_password("p", stored, QUEUE) is False
