"""Settings: one field per existing environment variable, read once when the process starts.

Nothing else in the engines reads the environment. An empty value counts as missing. A value that
the process cannot honour raises ``SettingsError``, whose text names the variable and the cure.
"""

from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRETS_DIR = Path("/run/secrets")
"""Files named like the secret variables are read from here when the variable itself is not set."""

MINIMUM_SIGNING_BYTES = 32
"""RFC 7518 section 3.2: an HS256 key is at least as long as its hash."""


class SettingsError(Exception):
    """The environment asks for something this process cannot do; the message names the variable."""


def _lower(value: object) -> object:
    """Selectors are lower-cased but not trimmed."""
    return value.lower() if isinstance(value, str) else value


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

SinkBackend = Annotated[Literal["firestore", "noop"], BeforeValidator(_lower)]


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
        description="Project of Firestore; required as soon as anything is kept there.",
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
        description="Where dataset events are written: `firestore`, or `noop` to discard them.",
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
        return self


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
        return str(item["ctx"]["error"])
    if variable == "NEXUS_BACKEND" and str(item["input"]) in ("memory", "in-memory"):
        return f"NEXUS_BACKEND={item['input']} is not allowed: events must reach a real sink, use firestore"
    if item["type"] == "literal_error":
        return f"unsupported {variable}={item['input']}: use {item['ctx']['expected']}"
    return f"{variable}: {item['msg']}"
