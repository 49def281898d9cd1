"""Password hashes in the stored form of the existing engines.

PBKDF2-HMAC-SHA256, 100,000 iterations, as ``<hash hex>:<salt hex>``; the salt input is the text of
its hex form. Hashing takes tens of milliseconds of CPU, so it runs in a thread.
"""

import asyncio
import hashlib
import hmac
import secrets

ITERATIONS = 100_000


async def hash_password(password: str) -> str:
    """Hash a password under a new random salt."""
    salt = secrets.token_hex(16)
    return f"{await asyncio.to_thread(_derive, password, salt)}:{salt}"


async def verify_password(password: str, stored: str | None) -> bool:
    """Whether the password matches; a missing or malformed hash costs the same time and matches nothing."""
    digest, _, salt = (stored or "").partition(":")
    derived = await asyncio.to_thread(_derive, password, salt or "absent")
    return bool(salt) and hmac.compare_digest(derived.encode(), digest.encode())


def _derive(password: str, salt: str) -> str:
    # surrogatepass: JSON can carry a lone surrogate, which must be a wrong password and not an error.
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.pbkdf2_hmac("sha256", secret, salt.encode("utf-8", "surrogatepass"), ITERATIONS).hex()
