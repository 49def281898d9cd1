"""What the arguments of a rehearsal may be; each ArgumentTypeError says what to do."""

import re
from argparse import ArgumentTypeError
from urllib.parse import urlsplit

from engines.common.identity import is_tenant_id, normalise_env

MAX_NAME = 80
RUN = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}\Z")


def name(text: str) -> str:
    """A tenant's name."""
    given = text.strip()
    if not given:
        raise ArgumentTypeError('the name is empty: give the tenant one, as in onboard "Acme"')
    if len(given) > MAX_NAME or not given.isprintable():
        raise ArgumentTypeError(f"a name is at most {MAX_NAME} printable characters")
    return given


def env(text: str) -> str:
    """An env in its stored form."""
    known = normalise_env(text)
    if known is None:
        raise ArgumentTypeError(f"unknown env: '{text}' (choose dev, staging or prod)")
    return known


def address(text: str) -> str:
    """A base address without credentials: it is part of the receipt."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise ArgumentTypeError(f"not an address: '{text}' (write it like https://bossman.example.com)")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ArgumentTypeError("the address must hold no credentials, query or fragment")
    return text.rstrip("/")


def target(text: str) -> str:
    """A run or a tenant."""
    if not RUN.match(text) and not is_tenant_id(text):
        raise ArgumentTypeError(f"neither a run nor a tenant: '{text}' (runs are named like their receipts)")
    return text
