"""The operator's key: SYSTEM_BOOTSTRAP_KEY, sent as X-System-Key."""

import hmac

from pydantic import SecretStr

from engines.common.errors import Forbidden
from engines.common.guessing import Attempt


def check_system_key(expected: SecretStr | None, given: str) -> None:
    """Raise Forbidden unless ``given`` is the key; an unset key fits nothing. Takes the same time for any.

    Raises TooManyRequests for a caller that was wrong too often. No key at all is no guess.
    """
    known = expected.get_secret_value() if expected else ""
    attempt = Attempt("system key", "wrong_system_key") if given else None
    right = hmac.compare_digest(given.encode(errors="replace"), known.encode()) and bool(known)
    if attempt:
        attempt.judged(right=right)
    if not right:
        raise Forbidden("invalid system key")
