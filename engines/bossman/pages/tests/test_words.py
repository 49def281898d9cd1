"""How the page says things."""

import json
import shlex
import subprocess
from datetime import UTC, datetime

import pytest

from engines.bossman.pages.words import curl, duration, limits, money, number, percent, utc, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("evil\u202egnp.exe", "evil⟨U+202E⟩gnp.exe"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("two\nlines\x00", "two⟨U+000A⟩lines⟨U+0000⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("عربي 名前 é", "عربي 名前 é"),
        ("x" * 81, "x" * 80 + "… (81 characters)"),
        (7, "7"),
    ],
)
def test_what_cannot_be_seen_is_spelt_and_what_is_long_is_cut(text: object, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),  # noqa: RUF001 - as shown
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3_661, "1 h 1 min"),
        (3_601, "1 h"),
        (86_400, "1 day"),
        (3 * 86_400 + 7_200, "3 days 2 h"),
    ],
)
def test_durations_have_two_units(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said


def test_numbers_are_never_rounded_to_nothing() -> None:
    assert [number(n) for n in (0, 12, 1234.0, 1.5, 0.00012, -1e300)] == [
        "0",
        "12",
        "1,234",
        "1.50",
        "0.00012",
        "-1e+300",
    ]
    assert [money(n) for n in (0, 0.85, 0.0042, 0.00001, 1234.5, -0.5)] == [
        "0.00",
        "0.85",
        "0.0042",
        "under 0.0001",
        "1,234.50",
        "-0.50",
    ]
    shares = [percent(part, whole) for part, whole in ((0, 9), (1, 1000), (1, 2), (999, 1000), (3, 3))]
    assert shares == ["0 %", "under 1 %", "50 %", "over 99 %", "100 %"]


def test_limits_and_times() -> None:
    assert (limits(None, None), limits(3_600, 86_400)) == ("none", "warn 1 h, stale 1 day")
    assert utc(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02 03:04:05 UTC"


@pytest.mark.parametrize(
    "surface", ["squared", "'; touch /tmp/x; echo '", '$(id) `id` "', "\u202e\n", "\ud800"]
)
def test_a_command_is_one_command_whatever_a_caller_names(surface: str) -> None:
    text = curl("http://127.0.0.1:8000", "PUT", "/kill-switches", "t_acme", "dev", {"surface": surface})
    assert text.isascii()
    assert text.isprintable()
    words = shlex.split(text)
    assert words[:3] == ["curl", "-fsS", "-X"]
    assert json.loads(words[-1]) == {"surface": surface}
    ran = subprocess.run(
        ["bash", "-c", f"curl() {{ printf '%s\\0' \"$@\"; }}; token=T; {text}"],
        capture_output=True,
        check=True,
    )
    assert ran.stdout.decode().split("\0")[:-1] == [word.replace("$token", "T") for word in words[1:]]
