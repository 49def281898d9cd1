"""The API's description as a page: every operation and shape of the OpenAPI document, without a script."""

from dataclasses import dataclass
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
JSON = "application/json"
REFERENCE = "#/components/schemas/"

Schema = dict[str, Any]


@dataclass(frozen=True)
class Value:
    """A parameter or field: its name, where it goes, its type in words, the shape it links to."""

    name: str
    place: str
    type: str
    shape: str | None
    required: bool


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    description: str
    needs_token: bool
    parameters: list[Value]
    body: Value | None
    answers: list[Value]


@dataclass(frozen=True)
class Shape:
    """A named JSON object."""

    name: str
    description: str
    fields: list[Value]


@dataclass(frozen=True)
class ApiDocs:
    """All there is, operations by tag."""

    title: str
    version: str
    groups: dict[str, list[Operation]]
    shapes: list[Shape]


def api_docs(document: Schema) -> ApiDocs:
    """The page's view of an OpenAPI document."""
    groups: dict[str, list[Operation]] = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                tag = item[method].get("tags", ["other"])[0]
                groups.setdefault(tag, []).append(_operation(method.upper(), path, item[method]))
    schemas = document.get("components", {}).get("schemas", {})
    shapes = [_shape(name, schema) for name, schema in sorted(schemas.items())]
    info = document["info"]
    return ApiDocs(info["title"], info["version"], dict(sorted(groups.items())), shapes)


def _operation(method: str, path: str, found: Schema) -> Operation:
    parameters = [
        _value(one["name"], one["in"], one.get("schema", {}), one.get("required", False))
        for one in found.get("parameters", [])
    ]
    body = found.get("requestBody")
    answers = [
        _value(status, answer.get("description", ""), _content(answer), True)
        for status, answer in sorted(found.get("responses", {}).items())
    ]
    return Operation(
        method,
        path,
        found.get("description") or found.get("summary", ""),
        "security" in found,
        parameters,
        _value("body", "JSON", _content(body), body.get("required", False)) if body else None,
        answers,
    )


def _content(part: Schema) -> Schema:
    content = part.get("content", {})
    found: Schema = content.get(JSON, {}).get("schema", {})
    return found


def _shape(name: str, schema: Schema) -> Shape:
    required = schema.get("required", [])
    fields = [
        _value(field, "", found, field in required) for field, found in schema.get("properties", {}).items()
    ]
    return Shape(name, schema.get("description", ""), fields)


def _value(name: str, place: str, schema: Schema, required: bool) -> Value:
    return Value(name, place, _words(schema), _reference(schema), required)


def _reference(schema: Schema) -> str | None:
    """The first named shape in a type, for a link."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(REFERENCE)
    inner = [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    return next((name for name in map(_reference, inner) if name), None)


def _words(schema: Schema) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(REFERENCE)
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_words, schema["anyOf"])))
    if "enum" in schema or "const" in schema:
        return " | ".join(map(str, schema.get("enum", [schema.get("const")])))
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_words(schema.get('items', {}))}"
    return f"{kind} ({schema['format']})" if "format" in schema else kind
