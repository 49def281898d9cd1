"""Backup, bundle, restore: what the shared stack holds comes up in a fresh checkout that builds nothing."""

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.app import Login
from tests.support.archives import entry, forged, tar_of
from tests.support.filler import Filler
from tests.support.people import dashboard, pageview, sign_up
from tests.support.stack import Stack, checkout

ENVS = ("dev", "staging")
OF_THE_MOMENT = {
    "generated_at",
    "age_seconds",
    "observed_at",
    "evaluated_at",
    "latency_ms",
    "observedValue",
    "time",
    "compared_at",
    "not_compared",
}
"""When a dashboard was read and how long that took; every other value must be the same."""

ARCHIVE, IMAGES = "state.tar.gz", "images.tar"


def values(shown: Any, path: str = "") -> dict[str, Any]:
    """Every value of a dashboard by its path, without those of the moment."""
    if isinstance(shown, dict):
        items = [(key, item) for key, item in shown.items() if key not in OF_THE_MOMENT]
    elif isinstance(shown, list):
        items = [(str(place), item) for place, item in enumerate(shown)]
    else:
        return {path: shown}
    return {path: type(shown).__name__} | {
        name: value for key, item in items for name, value in values(item, f"{path}/{key}").items()
    }


def dashboards(http: httpx.Client, logins: list[Login]) -> dict[str, Any]:
    """The dashboards of each tenant in each env."""
    return {
        f"{login.tenant_id}/{env}{path}": value
        for login in logins
        for env in ENVS
        for path, value in values(dashboard(http, login, env)).items()
    }


OBJECT = "storage/v1/b/datasets/o"
TABLES = "bigquery/v2/projects/northstar-local/datasets/nexus_events/tables"


def url_of(stack: Stack, service: str, port: int) -> str:
    return "http://" + stack.compose("port", service, str(port)).strip()


def put_elsewhere(stack: Stack) -> None:
    """An object and a row in the sinks that are not in use."""
    store, warehouse = url_of(stack, "objectstore", 4443), url_of(stack, "bigquery", 9050)
    upload = {"uploadType": "media", "name": "kept/a"}
    httpx.post(f"{store}/upload/{OBJECT}", params=upload, content=b"kept").raise_for_status()
    name = {"projectId": "northstar-local", "datasetId": "nexus_events", "tableId": "kept"}
    table = {"tableReference": name, "schema": {"fields": [{"name": "id", "type": "STRING"}]}}
    httpx.post(f"{warehouse}/{TABLES}", json=table).raise_for_status()
    rows = {"rows": [{"insertId": "a", "json": {"id": "kept"}}]}
    assert "insertErrors" not in httpx.post(f"{warehouse}/{TABLES}/kept/insertAll", json=rows).json()


def elsewhere(stack: Stack) -> dict[str, Any]:
    """What lies in the sinks that are not in use."""
    store, warehouse = url_of(stack, "objectstore", 4443), url_of(stack, "bigquery", 9050)
    [listed] = httpx.get(f"{store}/{OBJECT}", params={"prefix": "kept/"}).json()["items"]
    rows = httpx.get(f"{warehouse}/{TABLES}/kept/data").json()["rows"]
    told = {key: listed[key] for key in ("name", "size", "generation", "timeCreated", "md5Hash")}
    return told | {"rows": rows, "content": httpx.get(f"{store}/{OBJECT}/kept%2Fa?alt=media").text}


@dataclass
class Journey:
    """What was seen on the way."""

    logins: list[Login]
    before: dict[str, Any]
    after: dict[str, Any]
    backup: str
    saved: str
    loaded: str
    restored: str
    copy: Stack
    in_copy: dict[str, Any]
    other_sinks: tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def journey(stack: Stack) -> Iterator[Journey]:
    """Two tenants in two envs → backup and bundle → a fresh checkout: load, restore."""
    with stack.client() as http, checkout("restored") as copy:
        logins = [sign_up(http, "Acme"), sign_up(http, "Globex")]
        for login in logins:
            for env in ENVS:
                Filler(stack.url, login, env).everything()
        put_elsewhere(stack)
        before, kept = dashboards(http, logins), elsewhere(stack)
        backup = stack.run("sh", "-c", f"cd scripts && ./backup ../{ARCHIVE}")
        after = dashboards(http, logins)
        saved = stack.run("./scripts/bundle", "save", IMAGES)
        called = f"cd {stack.path} && {copy.path}/scripts"  # files are named from there
        loaded = copy.run("sh", "-c", f"{called}/bundle load {IMAGES}")
        restored = copy.run("sh", "-c", f"{called}/restore {ARCHIVE} --yes")
        copy.url = url_of(copy, "bossman", 8000)
        with copy.client() as there:
            in_copy = dashboards(there, logins)
        sinks = kept, elsewhere(copy)
        yield Journey(logins, before, after, backup, saved, loaded, restored, copy, in_copy, sinks)
        for name in (ARCHIVE, IMAGES):
            (stack.path / name).unlink()


def test_the_restored_dashboards_are_equal_in_every_value(journey: Journey) -> None:
    assert journey.in_copy == journey.before
    fresh = [path for path, value in journey.before.items() if "/freshness/" in path and value == "fresh"]
    assert len(fresh) > len(journey.logins) * len(ENVS) * 5
    print(f"{len(journey.before)} values compared")  # noqa: T201 - the figure


def test_the_sinks_that_are_not_in_use_are_restored_too(journey: Journey) -> None:
    before, after = journey.other_sinks
    assert after == before
    assert (before["content"], len(before["rows"])) == ("kept", 1)


def test_the_stack_runs_on_after_its_backup_with_the_same_dashboards(journey: Journey) -> None:
    assert journey.after == journey.before
    assert "Backup in" in journey.backup
    assert "SECRETS" in journey.backup


def test_the_archive_is_readable_by_its_owner_alone_and_says_what_it_holds(
    stack: Stack, journey: Journey
) -> None:
    assert (stack.path / ARCHIVE).stat().st_mode & 0o777 == 0o600
    manifest = json.loads(stack.run("tar", "-xzOf", ARCHIVE, "manifest.json"))
    assert (manifest["format"], manifest["version"]) == ("northstar-kit-backup", 1)
    assert {"bossman", "firestore", "bigquery", "objectstore"} <= manifest["images"].keys()
    assert {
        f"volumes/{name}.tar" for name in ("firestore", "bigquery", "objectstore", "secrets")
    } <= manifest["parts"].keys()
    secret = stack.compose("exec", "-T", "bossman", "cat", "/run/secrets/AUTH_JWT_SIGNING").strip()
    for shown in (journey.backup, journey.restored, json.dumps(manifest)):
        assert stack.demo_login()["password"] not in shown
        assert secret not in shown


def test_secrets_and_logins_came_along(stack: Stack, journey: Journey) -> None:
    """Tokens of the one stack are those of the other; both demo logins are one; files kept owner and mode."""
    assert journey.copy.demo_login() == stack.demo_login()
    shown = "stat -c '%n %a %u %s' /run/secrets/*"
    listed = [found.compose("exec", "-T", "bossman", "sh", "-c", shown) for found in (stack, journey.copy)]
    assert listed[0] == listed[1]
    with journey.copy.client() as http:
        assert http.post("/auth/login", json=stack.demo_login()).status_code == 200
        assert pageview(http, journey.logins[0]).json()["status"] == "accepted"


def test_the_copy_was_neither_built_nor_pulled(journey: Journey) -> None:
    assert "up to date" in journey.restored
    assert not list((journey.copy.path / ".kit").glob("build-*.log"))
    assert "Saved in" in journey.saved
    assert "Loaded in" in journey.loaded
    assert "up to date" in journey.copy.up()


def untouched(stack: Stack) -> dict[str, Any]:
    """What a refusal must leave as it is."""
    names = (".env", ".kit/ports.yaml", ".kit/demo-login.json")
    containers = {name: item["Id"] for name, item in stack.containers().items() if item["State"]["Running"]}
    return {name: (stack.path / name).read_text() for name in names} | containers


@pytest.mark.parametrize("kind", ["cut off", "traversal", "newer"])
def test_an_archive_that_is_not_sound_is_refused_and_nothing_is_touched(
    stack: Stack, journey: Journey, tmp_path: Path, kind: str
) -> None:
    sound = (stack.path / ARCHIVE).read_bytes()
    archives = {
        "cut off": (sound[: len(sound) * 2 // 3], "cut off"),
        "traversal": (forged(tar_of(entry("../secrets/escaped", b"x"))), "would lie outside its volume"),
        "newer": (forged(tar_of(), version=2), "its format is 2, this one reads 1"),
    }
    content, words = archives[kind]
    (tmp_path / "bad.tar.gz").write_bytes(content)
    before = untouched(stack)
    code, output = stack.outcome("./scripts/restore", str(tmp_path / "bad.tar.gz"), "--yes")
    assert code == 1
    assert words in output
    assert "Nothing was touched" in output
    assert untouched(stack) == before


def test_a_restore_asks_first(stack: Stack, journey: Journey) -> None:
    before = untouched(stack)
    code, output = stack.outcome("./scripts/restore", ARCHIVE)
    assert code == 1
    assert "--yes" in output
    assert untouched(stack) == before


def test_names_that_cannot_be_written_are_refused_before_anything_stops(
    stack: Stack, journey: Journey
) -> None:
    before = untouched(stack)
    for name in (ARCHIVE, "no/such/folder/x.tar.gz"):
        code, output = stack.outcome("./scripts/backup", name)
        assert code == 1
        assert "[fail] BACKUP" in output
    assert stack.outcome("./scripts/restore", "no-such-file")[0] == 1
    assert untouched(stack) == before


def without(copy: Stack, words: str) -> str:
    """A PATH whose docker fails for any command that holds ``words``, as a full disk would make it."""
    folder = copy.path / "failing"
    folder.mkdir(exist_ok=True)
    docker = copy.run("sh", "-c", "command -v docker").strip()
    text = f'#!/bin/sh\ncase "$*" in *"{words}"*) echo "no space left on device" >&2; exit 1 ;; esac\n'
    (folder / "docker").write_text(f'{text}exec {docker} "$@"\n')
    (folder / "docker").chmod(0o755)
    return f"PATH={folder}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def test_a_backup_that_fails_half_way_starts_the_stack_again(journey: Journey) -> None:
    copy = journey.copy
    code, output = copy.outcome(
        "env", without(copy, ":/volumes/firestore:ro"), "./scripts/backup", "failed.tar.gz"
    )
    assert code == 1
    assert "[fail] BACKUP" in output
    assert not list(copy.path.glob("failed.tar.gz*"))
    with copy.client() as http:
        assert http.get("/readyz").status_code == 200


def test_a_restore_that_fails_says_what_state_things_are_in(stack: Stack, journey: Journey) -> None:
    copy, archive = journey.copy, str(stack.path / ARCHIVE)
    failing = without(copy, "unpack /volumes")
    code, output = copy.outcome("env", failing, "./scripts/restore", archive, "--yes")
    assert code == 1
    assert "The data is what it was before; the stack is stopped: ./scripts/up starts it." in output
    assert copy.compose("ps", "-q", "--status", "running") == ""
    assert not (copy.path / ".kit/restore-unfinished").exists()
    failing = without(copy, "swap /volumes")
    code, output = copy.outcome("env", failing, "./scripts/restore", archive, "--yes")
    assert code == 1
    assert "partly the old, partly the new" in output
    code, output = copy.outcome("./scripts/up")
    assert code == 1
    assert "[fail] STALE-VOLUME" in output
    assert "./scripts/restore FILE once more" in output


def altered(stack: Stack, folder: Path, name: str, value: str) -> str:
    """A bundle without images whose manifest says ``value`` for ``name``."""
    lines = stack.run("tar", "-xOf", IMAGES, "manifest").splitlines()
    text = "\n".join(f"{name} {value}" if line.startswith(f"{name} ") else line for line in lines) + "\n"
    with tarfile.open(folder / "altered.tar", "w") as tar:
        for member, content in (("manifest", text.encode()), ("images.tar.gz", b"")):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return str(folder / "altered.tar")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("architecture", "sparc64", "made for another processor type: sparc64 in the bundle"),
        ("kit_version", "9.9.9", "made by another version of the kit: 9.9.9 in the bundle"),
        ("build_inputs", "0" * 64, "made from other files than this checkout's"),
        ("bytes", "999999999999999", "damaged or cut off"),
        ("format", "something else", "is no bundle of this kit"),
    ],
)
def test_a_bundle_that_does_not_fit_is_refused(
    stack: Stack, journey: Journey, tmp_path: Path, name: str, value: str, words: str
) -> None:
    before = untouched(stack)
    code, output = stack.outcome("./scripts/bundle", "load", altered(stack, tmp_path, name, value))
    assert code == 1
    assert words in output
    assert "[fail] BUNDLE" in output
    assert untouched(stack) == before
