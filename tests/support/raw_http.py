"""HTTP through a bare socket, for what a client library would tidy up."""

import socket
from dataclasses import dataclass
from email.parser import BytesHeaderParser


@dataclass(frozen=True)
class Answer:
    """One answer: its headers by lower-case name, the last of each."""

    status: int
    headers: dict[str, str]
    body: bytes


def exchange(port: int, request: bytes, seconds: float = 15) -> Answer:
    """Send the bytes to a loopback port, and read until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    status, _, lines = head.partition(b"\r\n")
    parsed = BytesHeaderParser().parsebytes(lines + b"\r\n\r\n")
    return Answer(int(status.split()[1]), {name.lower(): value for name, value in parsed.items()}, body)
