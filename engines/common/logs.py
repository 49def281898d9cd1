"""Logs: one line of JSON per record on stdout, with the ids of the request it belongs to.

An exception shows as its type and where it was raised. Its own text stays out: it may quote a payload.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

from engines.common.tracing import current

MAX_FRAMES = 30


class JsonLines(logging.Formatter):
    """Keys: time, level, logger, message; then the ids that are known, the record's ``fields``, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; text that is no JSON value of its own becomes its ``str``."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _ids() | getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1]:
            line["exception"] = _told(record.exc_info[1])
        return json.dumps(line, default=str)


def configure() -> None:
    """Send every logger's records of INFO and above to stdout in this form. For the process's entrypoint."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _ids() -> dict[str, str]:
    trace = current()
    if trace is None:
        return {}
    ids = {"request_id": trace.request_id, "trace_id": trace.request_id}
    more = {"tenant_id": trace.tenant_id, "env": trace.env}
    return ids | {name: value for name, value in more.items() if value}


def _told(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    told: dict[str, Any] = {"type": type(error).__name__, "raised_at": places}
    cause = error.__cause__ or error.__context__
    return told | ({"because_of": type(cause).__name__} if cause else {})
