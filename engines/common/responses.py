"""What a route can answer besides success, for the OpenAPI document; the statuses are those of ``errors``."""

from typing import Any

from pydantic import BaseModel

Responses = dict[int | str, dict[str, Any]]


class Refusal(BaseModel):
    """The one shape of an error: a text, an object with the key `error`, or a list of what is invalid."""

    detail: str | dict[str, Any] | list[dict[str, Any]]


SHAPE = {"$ref": f"#/components/schemas/{Refusal.__name__}"}
"""By name: a model of its own for each status of each route takes a start seven times as long."""


def refused(status: int, description: str) -> Responses:
    """One refusal of a route."""
    return {status: {"content": {"application/json": {"schema": SHAPE}}, "description": description}}


EVERYWHERE: Responses = (
    refused(400, "The body cannot be read, the request contradicts its context, or has no usable Host")
    | refused(408, "The request was not sent in time, or gave way to others")
    | refused(413, "The body is larger than 1 MiB")
    | refused(421, "The Host is none that is answered here")
    | refused(422, "A value is missing or unusable, or the store can never hold it")
    | refused(429, "The tenant has too much under way, or the caller guesses: see Retry-After")
    | refused(431, "The head of the request is too large")
    | refused(503, "Too much is under way, or a store does not answer; Retry-After says when")
)
"""Of every route. The table of the limits: docs/infra/LIMITS.md."""

FOR_TOKENS: Responses = refused(401, "No usable bearer token")
FOR_MEMBERS: Responses = FOR_TOKENS | refused(403, "No membership of the tenant, or not the role it takes")
LOCKED: Responses = refused(409, "No strategy lock allows it")
AUDITED: Responses = {
    200: {
        "headers": {
            "X-Audit-Status": {
                "description": "Whether the sink has the audit event, or it waits in the outbox",
                "schema": {"type": "string", "enum": ["stored", "pending"]},
            }
        }
    }
}
