"""Bad usage exits 64 and says what is wanted; 2 stays free for faults."""

import pytest

from engines.verification.__main__ import main
from tests.support.docker import free_port

TENANT = ("--tenant", "t_acme")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "required: command"),
        (("other",), "invalid choice"),
        (("events",), "required: --tenant"),
        (("events", "--tenant", "acme"), "a tenant's id is t_"),
        (("events", "--tenant", "t_a/b"), "a tenant's id is t_"),
        (("events", *TENANT, "--since", "2026-01-02T03:04:05"), "with its timezone"),
        (("events", *TENANT, "--since", "yesterday"), "with its timezone"),
        (("events", *TENANT, "--examples", "-1"), "from 0 to 1000"),
        (("events", *TENANT, "--format", "parquet"), "unrecognized"),
        (("export", *TENANT, "--format", "csv"), "invalid choice"),
    ],
)
def test_bad_usage(arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 64
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("command", ["events", "export"])
def test_unusable_settings_exit_78(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEXUS_BACKEND", "memory")
    assert main((command, *TENANT)) == 78
    assert "NEXUS_BACKEND" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["events", "export"])
def test_a_sink_that_discards_has_nothing_to_read(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEXUS_BACKEND", "noop")
    monkeypatch.setenv("AUTH_JWT_SIGNING", "x" * 40)
    assert main((command, *TENANT)) == 3
    assert "discards every event" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("bucket", "words"),
    [
        ("", "DATASETS_BUCKET is not set: set it to gs://bucket or s3://bucket"),
        ("datasets", "DATASETS_BUCKET=datasets has no scheme: write gs://datasets or s3://datasets"),
        ("s3://id:hidden@b", "DATASETS_BUCKET is not usable: write gs://bucket or s3://bucket"),
    ],
)
def test_an_export_asks_for_a_bucket_with_its_scheme(
    bucket: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {
        "NEXUS_BACKEND": "bigquery",
        "GCP_PROJECT_ID": "p",
        "BIGQUERY_EMULATOR_HOST": f"http://127.0.0.1:{free_port()}",
        "AUTH_JWT_SIGNING": "x" * 40,
        "DATASETS_BUCKET": bucket,
    }.items():
        monkeypatch.setenv(name, value)
    assert main(("export", *TENANT)) == 78
    said = capsys.readouterr().err
    assert words in said
    assert "hidden" not in said


@pytest.mark.parametrize("command", ["events", "export"])
def test_a_sink_that_is_down_exits_3_with_the_cause(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {
        "NEXUS_BACKEND": "object_store",
        "AUTH_JWT_SIGNING": "x" * 40,
        "DATASETS_BUCKET": "gs://datasets",
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{free_port()}",
    }.items():
        monkeypatch.setenv(name, value)
    assert main((command, *TENANT)) == 3
    output = capsys.readouterr()
    assert ("not reachable" in output.err, output.out) == (True, "")
