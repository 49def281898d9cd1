"""Settings: what each variable does, and how an unusable value is refused by name."""

from pathlib import Path

import pytest

from engines.config.runtime_config import Settings, SettingsError, load_settings, variable_names

SECRET = "s" * 32
USABLE = {"AUTH_JWT_SIGNING": SECRET, "NEXUS_BACKEND": "noop"}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for names in variable_names().values():
        for name in names:
            monkeypatch.delenv(name, raising=False)


def load(monkeypatch: pytest.MonkeyPatch, secrets_dir: Path, /, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings(secrets_dir)


def refusal(monkeypatch: pytest.MonkeyPatch, secrets_dir: Path, /, **environment: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, secrets_dir, **environment)
    return str(caught.value)


def shown(settings: Settings) -> dict[str, object]:
    """The settings as plain values."""
    return {
        name: value.get_secret_value() if hasattr(value, "get_secret_value") else value
        for name, value in settings
    }


def test_defaults_are_those_of_the_contract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert shown(load(monkeypatch, tmp_path, AUTH_JWT_SIGNING=SECRET, GCP_PROJECT_ID="p")) == {
        "env": "dev",
        "gcp_project": "p",
        "firestore_emulator_host": None,
        "nexus_backend": "firestore",
        "nexus_bq_dataset": "nexus_events",
        "nexus_bq_table": "dataset_events",
        "datasets_bucket": None,
        "bigquery_emulator_host": None,
        "storage_emulator_host": None,
        "aws_endpoint_url": None,
        "aws_access_key_id": None,
        "aws_secret_access_key": None,
        "aws_default_region": "us-east-1",
        "identity_backend": "memory",
        "privacy_backend": "memory",
        "analytics_events_backend": "memory",
        "strategy_lock_backend": "memory",
        "firearms_backend": "memory",
        "budget_backend": "memory",
        "kpi_backend": "memory",
        "seo_backend": "memory",
        "auth_jwt_signing": SECRET,
        "system_bootstrap_key": None,
    }


@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        ("ENV", "PROD", "env", "PROD"),
        ("APP_ENV", "stage", "env", "stage"),
        ("GCP_PROJECT_ID", "p1", "gcp_project", "p1"),
        ("GCP_PROJECT", "p2", "gcp_project", "p2"),
        ("FIRESTORE_EMULATOR_HOST", "firestore:8080", "firestore_emulator_host", "firestore:8080"),
        ("NEXUS_BACKEND", "NoOp", "nexus_backend", "noop"),
        ("IDENTITY_BACKEND", "MEMORY", "identity_backend", "memory"),
        ("PRIVACY_BACKEND", "Memory", "privacy_backend", "memory"),
        ("ANALYTICS_EVENTS_BACKEND", "memorY", "analytics_events_backend", "memory"),
        ("STRATEGY_LOCK_BACKEND", "MEMORY", "strategy_lock_backend", "memory"),
        ("FIREARMS_BACKEND", "MEMORY", "firearms_backend", "memory"),
        ("BUDGET_BACKEND", "MEMORY", "budget_backend", "memory"),
        ("KPI_BACKEND", "MEMORY", "kpi_backend", "memory"),
        ("SEO_BACKEND", "MEMORY", "seo_backend", "memory"),
        ("AUTH_JWT_SIGNING", "x" * 40, "auth_jwt_signing", "x" * 40),
        ("SYSTEM_BOOTSTRAP_KEY", "k", "system_bootstrap_key", "k"),
    ],
)
def test_a_variable_fills_its_field_and_selectors_are_lower_cased(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str, field: str, expected: str
) -> None:
    assert shown(load(monkeypatch, tmp_path, **USABLE | {variable: value}))[field] == expected


@pytest.mark.parametrize("variable", ["NEXUS", "IDENTITY", "PRIVACY", "ANALYTICS_EVENTS"])
def test_every_selector_takes_firestore(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    chosen = {f"{variable}_BACKEND": "FireStore", "GCP_PROJECT_ID": "p"}
    settings = load(monkeypatch, tmp_path, **USABLE | chosen)
    assert shown(settings)[f"{variable.lower()}_backend"] == "firestore"
    assert settings.needs_firestore is True


def test_no_firestore_is_needed_when_no_selector_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert load(monkeypatch, tmp_path, **USABLE).needs_firestore is False


@pytest.mark.parametrize(
    ("environment", "field", "expected"),
    [
        ({"ENV": "prod", "APP_ENV": "dev"}, "env", "prod"),
        ({"ENV": "", "APP_ENV": "local"}, "env", "local"),
        ({"ENV": "", "APP_ENV": ""}, "env", "dev"),
        ({"GCP_PROJECT_ID": "first", "GCP_PROJECT": "second"}, "gcp_project", "first"),
        ({"GCP_PROJECT_ID": "", "GCP_PROJECT": "second"}, "gcp_project", "second"),
        ({"GCP_PROJECT_ID": "", "GCP_PROJECT": ""}, "gcp_project", None),
        ({"FIRESTORE_EMULATOR_HOST": ""}, "firestore_emulator_host", None),
        ({"IDENTITY_BACKEND": ""}, "identity_backend", "memory"),
        ({"SYSTEM_BOOTSTRAP_KEY": ""}, "system_bootstrap_key", None),
    ],
)
def test_the_first_name_wins_and_empty_counts_as_missing(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    environment: dict[str, str],
    field: str,
    expected: str | None,
) -> None:
    assert shown(load(monkeypatch, tmp_path, **USABLE | environment))[field] == expected


PROJECT = (
    "GCP_PROJECT_ID (or GCP_PROJECT) is not set, but a selector asks for firestore "
    "(NEXUS_BACKEND does unless it is set otherwise): set the project"
)
SHORT = (
    "AUTH_JWT_SIGNING is shorter than 32 bytes: use a random secret, "
    "for example the output of `openssl rand -hex 32`"
)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"NEXUS_BACKEND": " noop"}, "unsupported NEXUS_BACKEND= noop: use "),
        ({"NEXUS_BACKEND": "noop "}, "unsupported NEXUS_BACKEND=noop : use "),
        ({"NEXUS_BACKEND": "alien"}, "unsupported NEXUS_BACKEND=alien: use "),
        ({"NEXUS_BACKEND": "memory"}, "NEXUS_BACKEND=memory is not allowed"),
        ({"NEXUS_BACKEND": "Memory"}, "NEXUS_BACKEND=memory is not allowed"),
        ({"NEXUS_BACKEND": "in-memory"}, "NEXUS_BACKEND=in-memory is not allowed"),
        ({"IDENTITY_BACKEND": "inmemory"}, "unsupported IDENTITY_BACKEND=inmemory: use "),
        ({"IDENTITY_BACKEND": " memory"}, "unsupported IDENTITY_BACKEND= memory: use "),
        ({"PRIVACY_BACKEND": "postgres"}, "unsupported PRIVACY_BACKEND=postgres: use "),
        ({"ANALYTICS_EVENTS_BACKEND": "x"}, "unsupported ANALYTICS_EVENTS_BACKEND=x: use "),
        ({"STRATEGY_LOCK_BACKEND": "x"}, "unsupported STRATEGY_LOCK_BACKEND=x: use "),
        ({"FIREARMS_BACKEND": "x"}, "unsupported FIREARMS_BACKEND=x: use "),
        ({"BUDGET_BACKEND": "x"}, "unsupported BUDGET_BACKEND=x: use "),
        ({"KPI_BACKEND": "x"}, "unsupported KPI_BACKEND=x: use "),
        ({"SEO_BACKEND": "x"}, "unsupported SEO_BACKEND=x: use "),
        ({"AUTH_JWT_SIGNING": ""}, "AUTH_JWT_SIGNING is not set: it is required"),
        ({"AUTH_JWT_SIGNING": "s" * 31}, SHORT),
        ({"NEXUS_BACKEND": ""}, PROJECT),
        ({"IDENTITY_BACKEND": "firestore"}, PROJECT),
        ({"PRIVACY_BACKEND": "firestore"}, PROJECT),
        ({"ANALYTICS_EVENTS_BACKEND": "firestore"}, PROJECT),
        ({"STRATEGY_LOCK_BACKEND": "firestore"}, PROJECT),
        ({"FIREARMS_BACKEND": "firestore"}, PROJECT),
        ({"BUDGET_BACKEND": "firestore"}, PROJECT),
        ({"KPI_BACKEND": "firestore"}, PROJECT),
        ({"SEO_BACKEND": "firestore"}, PROJECT),
    ],
)
def test_an_unusable_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], message: str
) -> None:
    assert refusal(monkeypatch, tmp_path, **USABLE | environment).startswith(message)


def test_a_missing_project_is_refused_when_no_sink_was_chosen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert refusal(monkeypatch, tmp_path, AUTH_JWT_SIGNING=SECRET) == PROJECT


def test_every_unusable_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = refusal(monkeypatch, tmp_path, NEXUS_BACKEND="alien", PRIVACY_BACKEND="none").splitlines()
    assert [line.split("=")[0].split(" is ")[0] for line in lines] == [
        "unsupported NEXUS_BACKEND",
        "unsupported PRIVACY_BACKEND",
        "AUTH_JWT_SIGNING",
    ]


def test_the_length_of_the_signing_secret_counts_bytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert load(monkeypatch, tmp_path, **USABLE | {"AUTH_JWT_SIGNING": "ü" * 16}).env == "dev"


def test_no_secret_is_shown_by_a_refusal_or_by_the_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    short = {"AUTH_JWT_SIGNING": "short-one", "SYSTEM_BOOTSTRAP_KEY": "the-key"}
    message = refusal(monkeypatch, tmp_path, **USABLE | short)
    assert "short-one" not in message
    assert "the-key" not in message
    settings = load(monkeypatch, tmp_path, **USABLE | {"AUTH_JWT_SIGNING": SECRET})
    assert SECRET not in repr(settings)
    assert "the-key" not in repr(settings)


class TestSecretFiles:
    def test_a_file_fills_a_missing_variable(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "AUTH_JWT_SIGNING").write_text("f" * 32 + "\n")
        (tmp_path / "SYSTEM_BOOTSTRAP_KEY").write_text("from file")
        settings = shown(load(monkeypatch, tmp_path, NEXUS_BACKEND="noop"))
        assert settings["auth_jwt_signing"] == "f" * 32
        assert settings["system_bootstrap_key"] == "from file"

    def test_a_variable_beats_its_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "AUTH_JWT_SIGNING").write_text("f" * 32)
        assert shown(load(monkeypatch, tmp_path, **USABLE))["auth_jwt_signing"] == SECRET

    def test_an_empty_variable_leaves_it_to_the_file(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "AUTH_JWT_SIGNING").write_text("f" * 32)
        settings = load(monkeypatch, tmp_path, NEXUS_BACKEND="noop", AUTH_JWT_SIGNING="")
        assert shown(settings)["auth_jwt_signing"] == "f" * 32

    def test_an_empty_file_is_no_secret(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "AUTH_JWT_SIGNING").write_text("")
        assert refusal(monkeypatch, tmp_path, NEXUS_BACKEND="noop").startswith("AUTH_JWT_SIGNING is ")

    def test_a_missing_directory_is_no_secret(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        message = refusal(monkeypatch, tmp_path / "absent", NEXUS_BACKEND="noop")
        assert message == "AUTH_JWT_SIGNING is not set: it is required"


def test_variable_names_lists_every_name_first_choice_first() -> None:
    assert variable_names() == {
        "env": ("ENV", "APP_ENV"),
        "gcp_project": ("GCP_PROJECT_ID", "GCP_PROJECT"),
        "firestore_emulator_host": ("FIRESTORE_EMULATOR_HOST",),
        "nexus_backend": ("NEXUS_BACKEND",),
        "nexus_bq_dataset": ("NEXUS_BQ_DATASET",),
        "nexus_bq_table": ("NEXUS_BQ_TABLE",),
        "datasets_bucket": ("DATASETS_BUCKET",),
        "bigquery_emulator_host": ("BIGQUERY_EMULATOR_HOST",),
        "storage_emulator_host": ("STORAGE_EMULATOR_HOST",),
        "aws_endpoint_url": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        "aws_access_key_id": ("AWS_ACCESS_KEY_ID",),
        "aws_secret_access_key": ("AWS_SECRET_ACCESS_KEY",),
        "aws_default_region": ("AWS_DEFAULT_REGION",),
        "identity_backend": ("IDENTITY_BACKEND",),
        "privacy_backend": ("PRIVACY_BACKEND",),
        "analytics_events_backend": ("ANALYTICS_EVENTS_BACKEND",),
        "strategy_lock_backend": ("STRATEGY_LOCK_BACKEND",),
        "firearms_backend": ("FIREARMS_BACKEND",),
        "budget_backend": ("BUDGET_BACKEND",),
        "kpi_backend": ("KPI_BACKEND",),
        "seo_backend": ("SEO_BACKEND",),
        "auth_jwt_signing": ("AUTH_JWT_SIGNING",),
        "system_bootstrap_key": ("SYSTEM_BOOTSTRAP_KEY",),
    }


@pytest.mark.parametrize("field", list(variable_names()))
def test_every_setting_is_described(field: str) -> None:
    assert (Settings.model_fields[field].description or "").endswith(".")
