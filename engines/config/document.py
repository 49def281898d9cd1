"""Prints docs/infra/ENVIRONMENT.md from the settings: ``python -m engines.config.document``."""

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from engines.config.runtime_config import Settings, variable_names

HEAD = """# Environment variables

Written by `python -m engines.config.document` from `engines/config/runtime_config.py`; a test keeps it so.
No name is added to those of the existing engines and of the cloud SDKs. An empty value counts as missing. A
backend value is lower-cased but not trimmed. Where several names are given, the first one that is set wins. A
value that cannot be honoured stops the start with a message that names the variable. `AUTH_JWT_SIGNING`,
`SYSTEM_BOOTSTRAP_KEY`, `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` may also be files of that name under
`/run/secrets`; a variable wins over its file.

## The engines' own

The existing engines read these names. Defaults and meaning are this kit's.

"""

SDKS = """
## The SDKs' own

The SDKs of Google and AWS define these names. This kit reads them too, so that one variable says for all
where a stand-in is and who asks. Of the existing engines' own code one reads any: `AWS_DEFAULT_REGION`.

"""

ALONE = """
## Read by the SDKs alone

| Variable | Meaning |
|---|---|
| `GOOGLE_APPLICATION_CREDENTIALS` | Key file for Google's cloud; unset leaves it to Google's own chain. |
| `GOOGLE_CLOUD_PROJECT` | Project of the stand-ins' own containers; the engines take `GCP_PROJECT_ID`. |
"""

OF_THE_SDKS = {
    "firestore_emulator_host",
    "bigquery_emulator_host",
    "storage_emulator_host",
    "aws_endpoint_url",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_default_region",
}
"""Fields whose variables are an SDK's."""


def markdown() -> str:
    """The whole document."""
    fields = list(variable_names())
    own = [field for field in fields if field not in OF_THE_SDKS]
    return HEAD + _table(own) + SDKS + _table([field for field in fields if field in OF_THE_SDKS]) + ALONE


def _table(fields: list[str]) -> str:
    rows = [_row(variable_names()[field], Settings.model_fields[field]) for field in fields]
    return "\n".join(["| Variable | Default | Meaning |", "|---|---|---|", *rows]) + "\n"


def _row(names: tuple[str, ...], info: FieldInfo) -> str:
    variables = ", ".join(f"`{name}`" for name in names)
    if info.default is PydanticUndefined:
        default = "required"
    else:
        default = "not set" if info.default is None else f"`{info.default}`"
    return f"| {variables} | {default} | {info.description} |"


if __name__ == "__main__":
    print(markdown(), end="")  # noqa: T201 - the command's output
