"""The operator's key: SYSTEM_BOOTSTRAP_KEY, sent as X-System-Key."""

import hmac

from pydantic import SecretStr

from engines.common.errors import Forbidden


def check_system_key(expected: SecretStr | None, given: str) -> None:
    """Raise Forbidden unless ``given`` is the key; an unset key fits nothing. Takes the same time for any."""
    known = expected.get_secret_value() if expected else ""
    if not hmac.compare_digest(given.encode(errors="replace"), known.encode()) or not known:
        raise Forbidden("invalid system key")
