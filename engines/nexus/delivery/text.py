"""An envelope as text that any store can hold, whatever the event carries."""

import json

from pydantic_core import to_jsonable_python

from engines.nexus.backends.sink import Envelope

MAX_BYTES = 1_000_000
"""Longest text of one event that is kept beside the sink: a Firestore document ends at 1 MiB."""


def to_text(envelope: Envelope) -> str:
    """The envelope as JSON in ASCII: also what is not valid Unicode survives."""
    # Not pydantic's own JSON mode, which fails at a key that is not valid Unicode.
    return json.dumps(envelope.model_dump(), default=to_jsonable_python, separators=(",", ":"))


def from_text(text: str) -> Envelope:
    """The envelope that ``to_text`` wrote, equal in every field."""
    return Envelope.model_validate(json.loads(text))


def plain(text: str) -> str:
    """``text`` as a field that a store can hold and compare: valid Unicode of bounded length."""
    return text.encode(errors="replace").decode()[:200]
