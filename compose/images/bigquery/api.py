"""One call of the stand-in's REST API. A failure is one line on stdout, which Docker keeps."""

import http.client
import json
import os
import sys

PROJECT = os.environ.get("GOOGLE_CLOUD_PROJECT", "northstar-local")
JSON = {"Content-Type": "application/json"}


def call(host, method, path, body=None, accept=(200,), port=9050, seconds=4):
    """Send one request below `/bigquery/v2/projects/PROJECT`; the decoded answer, or exit 1 saying why."""
    try:
        connection = http.client.HTTPConnection(host, port, timeout=seconds)
        sent = json.dumps(body) if body else None
        connection.request(method, f"/bigquery/v2/projects/{PROJECT}{path}", sent, JSON)
        answer = connection.getresponse()
        text = answer.read().decode()
    except OSError as exc:
        fail(f"{method} {path}: {exc!r}")
    if answer.status not in accept:
        fail(f"{method} {path}: HTTP {answer.status} {text[:300]}")
    return json.loads(text) if text.strip() else {}


def fail(message):
    """Say why and exit 1."""
    print(message)
    sys.exit(1)
