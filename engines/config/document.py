"""Prints docs/infra/ENVIRONMENT.md from the settings: ``python -m engines.config.document``."""

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from engines.config.runtime_config import Settings, variable_names

HEAD = """# Environment variables

Written by `python -m engines.config.document` from `engines/config/runtime_config.py`; a test keeps it so.
The names are those of the existing engines; none is added. An empty value counts as missing. A backend value
is lower-cased but not trimmed. Where several names are given, the first one that is set wins. A value that
cannot be honoured stops the start with a message that names the variable. `AUTH_JWT_SIGNING`,
`SYSTEM_BOOTSTRAP_KEY`, `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` may also be files of that name under
`/run/secrets`; a variable wins over its file.

| Variable | Default | Meaning |
|---|---|---|
"""


def markdown() -> str:
    """The whole document."""
    rows = [_row(names, Settings.model_fields[field]) for field, names in variable_names().items()]
    return HEAD + "\n".join(rows) + "\n"


def _row(names: tuple[str, ...], info: FieldInfo) -> str:
    variables = ", ".join(f"`{name}`" for name in names)
    if info.default is PydanticUndefined:
        default = "required"
    else:
        default = "not set" if info.default is None else f"`{info.default}`"
    return f"| {variables} | {default} | {info.description} |"


if __name__ == "__main__":
    print(markdown(), end="")  # noqa: T201 - the command's output
