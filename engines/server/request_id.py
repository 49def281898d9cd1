"""The id of a request: the caller's where it can be used, else a new one."""

import re
from uuid import uuid4

HEADER = "X-Request-Id"
_USABLE = re.compile(r"[ -~]{1,128}\Z")


def request_id(given: str) -> str:
    """``given`` if that is printable ASCII of at most 128 characters."""
    return given if _USABLE.match(given) else uuid4().hex
