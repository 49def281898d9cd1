"""Answers that are written without the framework, in the one error shape."""

import json
from collections.abc import Iterable

from engines.server.request_id import HEADER

RETRY_AFTER_SECONDS = 5

Headers = Iterable[tuple[bytes, bytes]]

PHRASES = {
    400: (b"Bad Request", "this is no HTTP request that can be read"),
    408: (b"Request Timeout", "the request was not sent in time"),
    413: (b"Content Too Large", "the body is larger than allowed"),
    431: (b"Request Header Fields Too Large", "the head of the request is larger than allowed"),
    503: (b"Service Unavailable", "too many connections; try again later"),
}


def refusal(status: int, request_id: str, more: Headers) -> bytes:
    """The whole answer, which ends the connection. ``more`` are headers that every answer has."""
    phrase, detail = PHRASES[status]
    body = json.dumps({"detail": detail}).encode()
    headers = [
        *more,
        (HEADER.lower().encode(), request_id.encode()),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    if status == 503:
        headers.append((b"retry-after", str(RETRY_AFTER_SECONDS).encode()))
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (status, phrase, lines, body)
