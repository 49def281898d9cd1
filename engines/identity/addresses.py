"""When two e-mail addresses are one account's. The spelling of the sign-up is what is stored and shown.

Alike are: upper and lower case; blanks, tabs and what shows nothing, anywhere; the normal forms of Unicode;
full-width and plain; a domain in its own alphabet and in ASCII (``xn--``), with and without a last dot.
"""

import hashlib
import unicodedata

from engines.common.text import LONGEST, compared, without_invisible

IDEOGRAPHIC_STOP = "\u3002"
"""Separates labels like a dot, whatever the normal form (RFC 3490, 3.1)."""


def canonical(email: str) -> str:
    """The address in the form in which addresses are compared; empty for a blank one."""
    local, at, domain = compared(without_invisible(email, spaces=False)).rpartition("@")
    labels = domain.replace(IDEOGRAPHIC_STOP, ".").removesuffix(".").split(".") if at else [domain]
    return local + at + ".".join(map(_own_alphabet, labels))


def email_keys(email: str) -> list[str]:
    """Keys of the address's reservation: the one that is made now last.

    Before it, where it differs, that of the spelling: accounts of an earlier release have it.
    """
    return list(dict.fromkeys(_hashed(form) for form in (email.lower(), canonical(email))))


def spellings(email: str) -> list[str]:
    """As what a user without reservation may be stored: as given, and in the forms that one would type."""
    plain = canonical(email)
    return list(dict.fromkeys([email, plain, unicodedata.normalize("NFD", plain[:LONGEST])]))


def _own_alphabet(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return compared(label[4:].encode("ascii").decode("punycode"))
    except ValueError:
        return label


def _hashed(form: str) -> str:
    return hashlib.sha256(form.encode()).hexdigest()
