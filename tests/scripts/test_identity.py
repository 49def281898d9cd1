"""One checkout is one project, whichever command came first; a one-shot job has the state that it has."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scripts.bash import linked, ran
from tests.support.docker import TEST_PROJECT

pytestmark = pytest.mark.docker

IMAGE = f"{TEST_PROJECT}-objectstore"


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


@pytest.fixture
def create() -> Iterator[Callable[..., str]]:
    """Makes a container or a volume with these labels; all go at the end."""
    containers: list[str] = []
    volumes: list[str] = []

    def make(*command: str, **labels: str) -> str:
        given = [f"--label={TEST_PROJECT}"]
        given += [f"--label=com.docker.compose.{name}={value}" for name, value in labels.items()]
        if command:
            containers.append(docker("run", "-d", "--network=none", *given, "--entrypoint", *command))
            return containers[-1]
        volumes.append(docker("volume", "create", *given))
        return volumes[-1]

    yield make
    if containers:
        docker("rm", "-f", *containers)
    if volumes:
        docker("volume", "rm", *volumes)


def test_row_8_the_project_of_a_plain_docker_compose_is_taken_over(
    tmp_path: Path, create: Callable[..., str]
) -> None:
    checkout = linked(tmp_path / "My Kit")
    create("true", IMAGE, **{"project": "mykit-plain", "project.working_dir": str(checkout)})
    create(project="mykit-plain")
    stale = "engine_answers=yes; check_stale_volume; print_checks"
    code, output = ran(f"printf '%s\\n' $project; {stale}", checkout)
    assert code == 0
    assert output.startswith("mykit-plain\n")
    assert "[pass] STALE-VOLUME" in output


def test_row_8_volumes_that_a_plain_docker_compose_left_are_named(
    tmp_path: Path, create: Callable[..., str]
) -> None:
    checkout = linked(tmp_path / f"Left {TEST_PROJECT}")
    name = f"left{TEST_PROJECT}"
    volume = create(project=name)
    code, output = ran("engine_answers=yes; check_stale_volume; print_checks", checkout)
    assert code == 0
    assert "[warn] STALE-VOLUME" in output
    assert volume in output
    assert f"COMPOSE_PROJECT_NAME={name} ./scripts/up" in output


def test_row_8_another_checkouts_project_is_not_taken(tmp_path: Path, create: Callable[..., str]) -> None:
    checkout = linked(tmp_path / "mine")
    create("true", IMAGE, **{"project": "theirs", "project.working_dir": str(tmp_path / "theirs")})
    code, output = ran('printf "%s" "$project"', checkout)
    assert code == 0
    assert output.startswith("mine-")


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("sleep", IMAGE, "60"), "[warn] STACK-secrets"),
        (("true", IMAGE), "[pass] STACK-secrets"),
        (("false", IMAGE), "[fail] STACK-secrets"),
    ],
    ids=["at work", "done", "failed"],
)
def test_row_11_a_job_is_done_when_it_ended_well(
    tmp_path: Path, create: Callable[..., str], command: tuple[str, ...], shown: str
) -> None:
    checkout = linked(tmp_path / "jobs")
    container = create(*command, **{"project": "jobs", "service": "secrets"})
    if command[0] != "sleep":
        docker("wait", container)
    script = 'project=jobs; check_service secrets "$(state_of secrets "$(container_states)")"; print_checks'
    code, output = ran(script, checkout)
    assert code == 0
    assert shown in output
