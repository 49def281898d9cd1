"""Settings: one field per existing environment variable, read once when the process starts.

Nothing else in the engines reads the environment. An empty value counts as missing. A value that
the process cannot honour raises ``SettingsError``, whose text names the variable and the cure.
"""

from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from engines.config.bucket import parse_bucket

SECRETS_DIR = Path("/run/secrets")
"""Files named like the secret variables are read from here when the variable itself is not set."""

MINIMUM_SIGNING_BYTES = 32
"""RFC 7518 section 3.2: an HS256 key is at least as long as its hash."""


class SettingsError(Exception):
    """The environment asks for something this process cannot do; the message names the variable."""


def _lower(value: object) -> object:
    """Selectors are lower-cased but not trimmed."""
    return value.lower() if isinstance(value, str) else value


def _resolved(value: object) -> object:
    """The sink's own name: `bq` is short for `bigquery`."""
    name = _lower(value)
    return "bigquery" if name == "bq" else name


def _check_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("write it with its scheme, for example http://localhost:4443")
    return value.rstrip("/")


Url = Annotated[str, AfterValidator(_check_url)]
StoreBackend = Annotated[Literal["firestore", "memory"], BeforeValidator(_lower)]
StateSelector = Literal[
    "identity",
    "privacy",
    "analytics_events",
    "strategy_lock",
    "firearms",
    "budget",
    "kpi",
    "seo",
]
STATE_SELECTORS: tuple[StateSelector, ...] = get_args(StateSelector)
"""What keeps state; the variable of each is its name in upper case and `_BACKEND`."""

SinkBackend = Annotated[
    Literal["firestore", "bigquery", "object_store", "noop"],
    BeforeValidator(_resolved),
]


class Settings(BaseSettings):
    """Everything the engines take from their environment."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", populate_by_name=True)

    # Runtime
    env: str = Field(
        "dev",
        validation_alias=AliasChoices("ENV", "APP_ENV"),
        description="Process environment, verbatim: the `env` of events from the event-log helper.",
    )
    gcp_project: str | None = Field(
        None,
        validation_alias=AliasChoices("GCP_PROJECT_ID", "GCP_PROJECT"),
        description="Project of Firestore and BigQuery; required as soon as anything is kept there.",
    )
    firestore_emulator_host: str | None = Field(
        None,
        validation_alias="FIRESTORE_EMULATOR_HOST",
        description="host:port of a Firestore stand-in. The SDK reads it too; unset means the real cloud.",
    )

    # Event sink
    nexus_backend: SinkBackend = Field(
        "firestore",
        validation_alias="NEXUS_BACKEND",
        description=(
            "Where dataset events are written: `firestore`, `bigquery` (or `bq`), `object_store`, "
            "or `noop` to discard them."
        ),
    )
    nexus_bq_dataset: str = Field(
        "nexus_events",
        pattern=r"^[A-Za-z0-9_]+$",
        validation_alias="NEXUS_BQ_DATASET",
        description="Dataset of the BigQuery sink.",
    )
    nexus_bq_table: str = Field(
        "dataset_events",
        pattern=r"^[A-Za-z0-9_]+$",
        validation_alias="NEXUS_BQ_TABLE",
        description="Table of the BigQuery sink.",
    )
    datasets_bucket: str | None = Field(
        None,
        validation_alias="DATASETS_BUCKET",
        description=(
            "Bucket of the object-store sink and of exports. Both need its scheme, `gs://bucket` or "
            "`s3://bucket`, with `/prefix` if wanted: `object_store` does not start without, an export ends. "
            "Elsewhere the bare name will do."
        ),
    )
    bigquery_emulator_host: Url | None = Field(
        None,
        validation_alias="BIGQUERY_EMULATOR_HOST",
        description="URL of a BigQuery stand-in. Unset means the real cloud.",
    )
    storage_emulator_host: Url | None = Field(
        None,
        validation_alias="STORAGE_EMULATOR_HOST",
        description="URL of a Cloud Storage stand-in, for `gs://`. Unset means the real cloud.",
    )
    aws_endpoint_url: Url | None = Field(
        None,
        validation_alias=AliasChoices("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        description="URL of an S3 stand-in, for `s3://`. Unset means the real cloud.",
    )
    aws_access_key_id: SecretStr | None = Field(
        None,
        validation_alias="AWS_ACCESS_KEY_ID",
        description="Key id for `s3://`; unset leaves it to AWS's own chain.",
    )
    aws_secret_access_key: SecretStr | None = Field(
        None,
        validation_alias="AWS_SECRET_ACCESS_KEY",
        description="Secret key for `s3://`, set together with its id.",
    )
    aws_default_region: str = Field(
        "us-east-1",
        validation_alias="AWS_DEFAULT_REGION",
        description="Region of the bucket, for `s3://`.",
    )

    # State
    identity_backend: StoreBackend = Field(
        "memory",
        validation_alias="IDENTITY_BACKEND",
        description=(
            "Store of users, tenants, memberships, analytics configs, temperature and kill switches: "
            "`firestore` or `memory`."
        ),
    )
    privacy_backend: StoreBackend = Field(
        "memory",
        validation_alias="PRIVACY_BACKEND",
        description="Store of training preferences: `firestore` or `memory`.",
    )
    analytics_events_backend: StoreBackend = Field(
        "memory",
        validation_alias="ANALYTICS_EVENTS_BACKEND",
        description="Store of raw analytics events: `firestore` or `memory`.",
    )

    strategy_lock_backend: StoreBackend = Field(
        "memory",
        validation_alias="STRATEGY_LOCK_BACKEND",
        description="Store of strategy locks: `firestore` or `memory`.",
    )
    firearms_backend: StoreBackend = Field(
        "memory",
        validation_alias="FIREARMS_BACKEND",
        description="Store of firearms licences: `firestore` or `memory`.",
    )
    budget_backend: StoreBackend = Field(
        "memory",
        validation_alias="BUDGET_BACKEND",
        description="Store of usage events and their sums: `firestore` or `memory`.",
    )
    kpi_backend: StoreBackend = Field(
        "memory",
        validation_alias="KPI_BACKEND",
        description="Store of KPI definitions and corridors: `firestore` or `memory`.",
    )
    seo_backend: StoreBackend = Field(
        "memory",
        validation_alias="SEO_BACKEND",
        description="Store of SEO page configs: `firestore` or `memory`.",
    )

    # Auth
    auth_jwt_signing: SecretStr = Field(
        ...,
        validation_alias="AUTH_JWT_SIGNING",
        description="HS256 signing secret of the internal tokens, at least 32 bytes.",
    )
    system_bootstrap_key: SecretStr | None = Field(
        None,
        validation_alias="SYSTEM_BOOTSTRAP_KEY",
        description="Shared secret of the header X-System-Key; unset closes the system routes.",
    )

    @property
    def needs_firestore(self) -> bool:
        """Whether any selector asks for Firestore."""
        return "firestore" in (self.nexus_backend, *self.state_backends.values())

    @property
    def needs_google_cloud(self) -> bool:
        """Whether anything is kept in Google's own cloud, and not in a stand-in or elsewhere."""
        in_a_bucket = self.nexus_backend == "object_store" and str(self.datasets_bucket).startswith("gs://")
        return (
            (self.needs_firestore and self.firestore_emulator_host is None)
            or (self.nexus_backend == "bigquery" and self.bigquery_emulator_host is None)
            or (in_a_bucket and self.storage_emulator_host is None)
        )

    @property
    def state_backends(self) -> dict[StateSelector, str]:
        """What each selector of a state store asks for."""
        return {selector: getattr(self, f"{selector}_backend") for selector in STATE_SELECTORS}

    @model_validator(mode="after")
    def _refuse_what_cannot_run(self) -> Self:
        if len(self.auth_jwt_signing.get_secret_value().encode()) < MINIMUM_SIGNING_BYTES:
            raise ValueError(
                f"AUTH_JWT_SIGNING is shorter than {MINIMUM_SIGNING_BYTES} bytes: use a random secret, "
                "for example the output of `openssl rand -hex 32`"
            )
        if self.needs_firestore and not self.gcp_project:
            raise ValueError(
                "GCP_PROJECT_ID (or GCP_PROJECT) is not set, but a selector asks for firestore "
                "(NEXUS_BACKEND does unless it is set otherwise): set the project"
            )
        self._refuse_a_sink_without_target()
        return self

    def _refuse_a_sink_without_target(self) -> None:
        if self.nexus_backend == "bigquery" and not self.gcp_project:
            raise ValueError(
                "GCP_PROJECT_ID (or GCP_PROJECT) is not set, but NEXUS_BACKEND asks for bigquery: "
                "set the project"
            )
        if self.nexus_backend == "object_store":
            self._refuse_a_bucket_without_scheme()
        if (self.aws_access_key_id is None) != (self.aws_secret_access_key is None):
            raise ValueError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together: set both or neither")

    def _refuse_a_bucket_without_scheme(self) -> None:
        if not self.datasets_bucket:
            raise ValueError(
                "DATASETS_BUCKET is not set, but NEXUS_BACKEND asks for object_store: "
                "set it to gs://bucket or s3://bucket"
            )
        parse_bucket(self.datasets_bucket)


def load_settings(secrets_dir: Path | None = None) -> Settings:
    """Read the environment, then files of ``secrets_dir`` (default: SECRETS_DIR when it exists).

    Raises SettingsError naming every variable that is missing or unusable.
    """
    directory = secrets_dir or SECRETS_DIR
    try:
        return Settings(_secrets_dir=directory if directory.is_dir() else None)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None


def variable_names() -> dict[str, tuple[str, ...]]:
    """Each field with the variables that fill it, first choice first."""
    names = {}
    for field, info in Settings.model_fields.items():
        alias = info.validation_alias
        names[field] = tuple(map(str, alias.choices)) if isinstance(alias, AliasChoices) else (str(alias),)
    return names


def _explain(error: ValidationError) -> str:
    return "\n".join(_explain_one(item) for item in error.errors())


def _explain_one(item: ErrorDetails) -> str:
    variable = str(item["loc"][0]) if item["loc"] else ""
    if item["type"] == "missing":
        return f"{variable} is not set: it is required"
    if item["type"] == "value_error":
        return _named(variable, str(item["ctx"]["error"]))
    if variable == "NEXUS_BACKEND" and str(item["input"]) in ("memory", "in-memory"):
        return f"NEXUS_BACKEND={item['input']} is not allowed: events must reach a real sink, use firestore"
    if item["type"] == "literal_error":
        return f"unsupported {variable}={item['input']}: use {item['ctx']['expected']}"
    return f"{variable}: {item['msg']}"


def _named(variable: str, message: str) -> str:
    """The message, with the variable in front unless it says so itself."""
    return message if not variable or message.startswith(variable) else f"{variable}: {message}"
