"""One call of the stand-in's REST API; a failure is one line on stdout, which is what Docker keeps of a health check."""

import http.client
import json
import os
import sys

PROJECT = os.environ.get("GOOGLE_CLOUD_PROJECT", "northstar-local")


def call(host, method, path, body=None, accept=(200,)):
    """Send one request to `/bigquery/v2/projects/PROJECT` + path and return the decoded answer, or exit 1 saying why."""
    try:
        connection = http.client.HTTPConnection(host, 9050, timeout=4)
        connection.request(method, f"/bigquery/v2/projects/{PROJECT}{path}", json.dumps(body) if body else None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
    except OSError as exc:
        sys.exit(print(f"{method} {path}: {exc!r}") or 1)
    if answer.status not in accept:
        sys.exit(print(f"{method} {path}: HTTP {answer.status} {text[:300]}") or 1)
    return json.loads(text)
