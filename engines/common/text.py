"""Texts that people take for the same one: in the form in which they are compared, never stored or shown."""

import stringprep
import unicodedata

LONGEST = 1_000
"""Characters up to which texts are brought into one form: marks in the wrong order take quadratic time."""


def without_invisible(text: str, *, spaces: bool = True) -> str:
    """The text without characters that show nothing, and without blanks of any kind unless ``spaces``."""
    dropped = {ord(char) for char in set(text) if _is_invisible(char) or (char.isspace() and not spaces)}
    return text.translate(dict.fromkeys(dropped))


def compared(text: str) -> str:
    """In one normal form (NFKC), full-width as plain, lower case. Longer than LONGEST: lower case alone."""
    if len(text) > LONGEST:
        return text.lower()
    # Lower case can come apart again.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())


def _is_invisible(char: str) -> bool:
    if char.isspace():
        return False
    return unicodedata.category(char) in ("Cc", "Cf") or stringprep.in_table_b1(char)
