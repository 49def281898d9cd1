"""Settings of the event sinks: names, defaults, and what refuses to start."""

from pathlib import Path

import pytest

from engines.config.bucket import BucketAddress, parse_bucket
from engines.config.runtime_config import Settings, SettingsError, load_settings, variable_names
from engines.nexus.backends import open_datasets

USABLE = {"AUTH_JWT_SIGNING": "s" * 32, "NEXUS_BACKEND": "noop"}
KEYS = {"AWS_ACCESS_KEY_ID": "key-id", "AWS_SECRET_ACCESS_KEY": "key-secret"}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for names in variable_names().values():
        for name in names:
            monkeypatch.delenv(name, raising=False)


def load(monkeypatch: pytest.MonkeyPatch, secrets_dir: Path, /, **environment: str) -> Settings:
    for name, value in (USABLE | environment).items():
        monkeypatch.setenv(name, value)
    return load_settings(secrets_dir)


def refusal(monkeypatch: pytest.MonkeyPatch, secrets_dir: Path, /, **environment: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, secrets_dir, **environment)
    return str(caught.value)


def test_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = load(monkeypatch, tmp_path)
    assert (found.nexus_bq_dataset, found.nexus_bq_table) == ("nexus_events", "dataset_events")
    assert (found.datasets_bucket, found.bigquery_emulator_host, found.storage_emulator_host) == (None,) * 3
    assert (found.aws_endpoint_url, found.aws_access_key_id, found.aws_secret_access_key) == (None,) * 3
    assert found.aws_default_region == "us-east-1"


@pytest.mark.parametrize(
    ("value", "resolved"),
    [("bq", "bigquery"), ("BQ", "bigquery"), ("BigQuery", "bigquery"), ("Object_Store", "object_store")],
)
def test_a_sink_is_known_by_its_resolved_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, resolved: str
) -> None:
    chosen = {"NEXUS_BACKEND": value, "GCP_PROJECT_ID": "p", "DATASETS_BUCKET": "gs://datasets"}
    settings = load(monkeypatch, tmp_path, **chosen)
    assert settings.nexus_backend == resolved
    assert settings.needs_firestore is False


@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        ("NEXUS_BQ_DATASET", "d_1", "nexus_bq_dataset", "d_1"),
        ("NEXUS_BQ_TABLE", "t_1", "nexus_bq_table", "t_1"),
        ("DATASETS_BUCKET", "s3://datasets/x", "datasets_bucket", "s3://datasets/x"),
        ("BIGQUERY_EMULATOR_HOST", "http://bigquery:9050", "bigquery_emulator_host", "http://bigquery:9050"),
        ("STORAGE_EMULATOR_HOST", "http://store:4443/", "storage_emulator_host", "http://store:4443"),
        ("AWS_ENDPOINT_URL", "https://s3.example.com", "aws_endpoint_url", "https://s3.example.com"),
        ("AWS_ENDPOINT_URL_S3", "http://s3:8333", "aws_endpoint_url", "http://s3:8333"),
        ("AWS_DEFAULT_REGION", "eu-central-1", "aws_default_region", "eu-central-1"),
    ],
)
def test_a_variable_fills_its_field(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str, field: str, expected: str
) -> None:
    assert getattr(load(monkeypatch, tmp_path, **{variable: value}), field) == expected


def test_the_endpoint_of_s3_beats_that_of_all_of_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    both = {"AWS_ENDPOINT_URL": "http://all:1", "AWS_ENDPOINT_URL_S3": "http://s3:8333"}
    assert load(monkeypatch, tmp_path, **both).aws_endpoint_url == "http://s3:8333"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"NEXUS_BACKEND": "object_store"},
            "DATASETS_BUCKET is not set, but NEXUS_BACKEND asks for object_store",
        ),
        ({"NEXUS_BACKEND": "object-store"}, "unsupported NEXUS_BACKEND=object-store: use "),
        (
            {"NEXUS_BACKEND": "bigquery"},
            "GCP_PROJECT_ID (or GCP_PROJECT) is not set, but NEXUS_BACKEND asks for",
        ),
        ({"NEXUS_BACKEND": "bq"}, "GCP_PROJECT_ID (or GCP_PROJECT) is not set, but NEXUS_BACKEND asks for"),
        ({"NEXUS_BQ_TABLE": "a.b"}, "NEXUS_BQ_TABLE: "),
        ({"NEXUS_BQ_DATASET": "a`b"}, "NEXUS_BQ_DATASET: "),
        ({"STORAGE_EMULATOR_HOST": "objectstore:4443"}, "STORAGE_EMULATOR_HOST: write it with its scheme"),
        ({"BIGQUERY_EMULATOR_HOST": "bigquery:9050"}, "BIGQUERY_EMULATOR_HOST: write it with its scheme"),
        ({"AWS_ENDPOINT_URL_S3": "s3:8333"}, "AWS_ENDPOINT_URL_S3: write it with its scheme"),
        ({"AWS_ACCESS_KEY_ID": "key-id"}, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together"),
        ({"AWS_SECRET_ACCESS_KEY": "key-secret"}, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together"),
    ],
)
def test_an_unusable_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], message: str
) -> None:
    said = refusal(monkeypatch, tmp_path, **environment)
    assert said.startswith(message)
    assert "key-" not in said


BUCKETS = {
    "datasets": "DATASETS_BUCKET=datasets has no scheme: write gs://datasets or s3://datasets",
    "test-datasets/a": "DATASETS_BUCKET=test-datasets/a has no scheme: write gs://test-datasets/a or s3://",
    "https://x/datasets": "DATASETS_BUCKET is not usable: write gs://bucket or s3://",
    "gs://": "DATASETS_BUCKET is not usable",
    "gs://Bucket": "DATASETS_BUCKET is not usable",
    "gs://bucket/../x": "DATASETS_BUCKET is not usable",
    "gs://bucket/{tenant}": "DATASETS_BUCKET is not usable",
    "s3://id:hidden@bucket": "DATASETS_BUCKET is not usable",
    "id:hidden@bucket": "DATASETS_BUCKET is not usable",
}
"""What is no address of a bucket, and what whoever needs one says."""

every_bucket = pytest.mark.parametrize("bucket", BUCKETS)


@every_bucket
@pytest.mark.parametrize("sink", ["noop", "firestore", "bigquery"])
def test_a_bucket_that_no_sink_uses_may_be_any_text(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bucket: str, sink: str
) -> None:
    chosen = {"NEXUS_BACKEND": sink, "GCP_PROJECT_ID": "p", "DATASETS_BUCKET": bucket}
    assert load(monkeypatch, tmp_path, **chosen).datasets_bucket == bucket


@every_bucket
def test_the_object_store_sink_asks_for_a_scheme_and_repeats_no_login(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bucket: str
) -> None:
    said = refusal(monkeypatch, tmp_path, NEXUS_BACKEND="object_store", DATASETS_BUCKET=bucket)
    assert said.startswith(BUCKETS[bucket])
    assert "hidden" not in said


@every_bucket
def test_whoever_opens_the_bucket_asks_for_a_scheme_and_repeats_no_login(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bucket: str
) -> None:
    values = load(monkeypatch, tmp_path, DATASETS_BUCKET=bucket)
    with pytest.raises(SettingsError) as caught:
        open_datasets(values, "exports/")
    assert str(caught.value).startswith(BUCKETS[bucket])
    assert "hidden" not in str(caught.value)


def test_the_keys_of_s3_may_be_files_and_are_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in KEYS.items():
        (tmp_path / name).write_text(value)
    settings = load(monkeypatch, tmp_path)
    assert settings.aws_access_key_id is not None
    assert settings.aws_secret_access_key is not None
    assert settings.aws_access_key_id.get_secret_value() == "key-id"
    assert settings.aws_secret_access_key.get_secret_value() == "key-secret"
    assert "key-" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("gs://datasets", BucketAddress("gs", "datasets", "")),
        ("gs://datasets/", BucketAddress("gs", "datasets", "")),
        ("s3://my.bucket-1/a", BucketAddress("s3", "my.bucket-1", "a/")),
        ("s3://bucket/a/b.c/", BucketAddress("s3", "bucket", "a/b.c/")),
    ],
)
def test_an_address_is_read_with_its_prefix(text: str, address: BucketAddress) -> None:
    assert parse_bucket(text) == address
    assert str(address) == f"{text.rstrip('/')}/"


def test_row_18_a_prefix_that_leaves_no_room_for_names_refuses_to_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    longest = f"gs://bucket/{'p' * 499}"
    sink = {"NEXUS_BACKEND": "object_store"}
    assert load(monkeypatch, tmp_path, DATASETS_BUCKET=longest, **sink).datasets_bucket == longest
    said = refusal(monkeypatch, tmp_path, DATASETS_BUCKET=f"{longest}p", **sink)
    assert "the prefix has more than 500 bytes" in said
