"""Health: what is acknowledged is durable, by the status, and a commit and its reading through the door.

The document lies in a project of its own, out of the data and of the exports. A failure is one line on
stdout, where Docker keeps it.
"""

import http.client
import json
import sys
import time
from typing import Any

from standin import status
from standin.door import STATUS

DOCUMENTS = "projects/kit-health/databases/(default)/documents"
SILENT_SECONDS = 10.0
"""The supervisor writes its status every second."""


def main() -> None:
    """Exit 0 when healthy, else 1 with the reason."""
    reason = _reason()
    if reason:
        print(f"firestore: {reason}")
        sys.exit(1)


def _reason() -> str | None:
    try:
        silent = time.time() - STATUS.stat().st_mtime
        found = status.read(STATUS)
    except (OSError, ValueError) as error:
        return f"not ready: {error}"
    if found["refused_because"]:
        return str(found["refused_because"])
    if found["saving"] != "ok":
        return f"saving fails since {found['save_failing_since']}: {found['save_error']}"
    if silent > SILENT_SECONDS:
        return f"the volume or the machine hangs: nothing was noted for {silent:.0f} s"
    try:
        return _commit_and_read()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"a commit and its reading failed: {error!r}"


def _commit_and_read() -> str | None:
    now = str(time.time_ns())
    written = {"name": f"{DOCUMENTS}/kit/health", "fields": {"at": {"integerValue": now}}}
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=2)
    try:
        _call(connection, "POST", f"/v1/{DOCUMENTS}:commit", {"writes": [{"update": written}]})
        found = _call(connection, "GET", f"/v1/{DOCUMENTS}/kit/health", None)
    finally:
        connection.close()
    return None if f'"{now}"' in found else f"wrote {now}, read back {found[:300]}"


def _call(connection: http.client.HTTPConnection, method: str, path: str, body: Any) -> str:
    sent = json.dumps(body) if body else None
    connection.request(method, path, sent, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    if answer.status != http.client.OK:
        raise ValueError(f"{method} {path} answered {answer.status} {text[:200]}")
    return text


if __name__ == "__main__":
    main()
