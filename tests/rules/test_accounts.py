"""Which spellings of an address are one account, on both stores, and names found by another normal form."""

import asyncio
import hashlib
import unicodedata
from typing import Any
from uuid import uuid4

import httpx
import pytest

from engines.identity.addresses import canonical, email_keys
from tests.support.app import SYSTEM_KEY

ALIKE = {
    "upper_case": "MÜLLER@MÜNCHEN.DE",
    "blank_after": "müller@münchen.de ",
    "blanks_inside": " müller @ münchen.de",
    "tab": "\tmüller@münchen.de\t",
    "line_feed": "müller@münchen.de\r\n",
    "no_break_space": "\u00a0müller@münchen.de\u3000",
    "nfd": unicodedata.normalize("NFD", "müller@münchen.de"),
    "full_width": "müller\uff20münchen\uff0ede",
    "small_at": "müller﹫münchen.de",
    "ideographic_stop": "müller@münchen\u3002de",
    "zero_width": "mü\u200bl\u200dler@mün\u2060chen.de\ufeff",
    "soft_hyphen": "mül\u00adler@münchen.de",
    "variation_selector": "müller\ufe0f@münchen.de",
    "direction_mark": "\u202amüller@münchen.de\u202c",
    "nul": "mü\x00ller@münchen.de",
    "ascii_domain": "müller@xn--mnchen-3ya.de",
    "ascii_domain_upper_case": "müller@XN--MNCHEN-3YA.DE",
    "last_dot": "müller@münchen.de.",
}
APART = [
    "muller@münchen.de",
    "müller@munchen.de",
    "müller@münchen.com",
    "müller+x@münchen.de",
    "mü.ller@münchen.de",
]
BLANK = ["", " ", "\t", "\r\n", "\u00a0", "\u3000", "\u200b", "\ufeff \u00ad", "\x00"]


async def send(http: httpx.AsyncClient, path: str, email: str, **more: str) -> httpx.Response:
    return await http.post(f"/auth/{path}", json={"email": email, "password": "p"} | more)


def own(address: str) -> str:
    """The same spelling of an address that only this test has."""
    return f"{uuid4().hex}{address}"


@pytest.mark.parametrize("name", ALIKE)
async def test_row_14_spellings_of_one_address_are_one_account(http: httpx.AsyncClient, name: str) -> None:
    mark = uuid4().hex
    plain, other = f"{mark}müller@münchen.de", f"{mark}{ALIKE[name].lstrip()}"
    assert canonical(other) == canonical(plain)
    for first, second in ((plain, other), (f"x{other}", f"x{plain}")):
        made = await send(http, "signup", first)
        assert (made.status_code, made.json()["user"]["email"]) == (200, first)
        again = await send(http, "signup", second)
        assert (again.status_code, again.json()) == (400, {"detail": "user already exists"})
        for spelling in (first, second):
            signed_in = await send(http, "login", spelling)
            assert signed_in.json()["user"] == made.json()["user"]


async def test_row_14_other_addresses_stay_other_accounts(http: httpx.AsyncClient) -> None:
    mark = uuid4().hex
    answers = [await send(http, "signup", mark + address) for address in ["müller@münchen.de", *APART]]
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize("email", BLANK, ids=ascii)
async def test_row_14_a_blank_address_is_422(http: httpx.AsyncClient, email: str) -> None:
    answer = await send(http, "signup", email)
    assert answer.status_code == 422
    [problem] = answer.json()["detail"]
    assert (problem["loc"], problem["msg"]) == (["body", "email"], "Value error, the address is blank")


async def test_row_14_sign_ups_of_one_address_that_race_make_one_account(http: httpx.AsyncClient) -> None:
    mark = uuid4().hex
    spelled = [f"{mark}{address.lstrip()}" for address in ALIKE.values()]
    answers = await asyncio.gather(*(send(http, "signup", email, tenant_name="Race") for email in spelled))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * (len(spelled) - 1)
    [made] = [answer.json()["user"] for answer in answers if answer.status_code == 200]
    assert {(await send(http, "login", email)).json()["user"]["id"] for email in spelled} == {made["id"]}


async def test_row_14_long_addresses_are_compared_as_spelled(http: httpx.AsyncClient) -> None:
    marks = "\u0315\u0300" * 1_000  # in one normal form this would take quadratic time
    email = own(f"{marks}@example.com")
    assert (await send(http, "signup", email)).status_code in (200, 422)
    assert canonical(email) == email


@pytest.mark.parametrize(("name", "asked"), [("NFC", "NFD"), ("NFD", "NFC")])
async def test_row_14_a_tenant_is_found_by_the_other_normal_form_of_its_name(
    http: httpx.AsyncClient, name: str, asked: Any
) -> None:
    mark = uuid4().hex
    stored = unicodedata.normalize("NFC" if name == "NFC" else "NFD", f"{mark} Grüße Müller")
    await send(http, "signup", own("@example.com"), tenant_name=stored)
    beginnings = [f"{mark} grü", f"{mark} grüße m", f"{mark}\u200b \uff27rüße", f" {mark} GRÜSSE MÜLLER "]
    for beginning in beginnings:
        query = {"search": unicodedata.normalize(asked, beginning)}
        answer = await http.get("/bossman/onboarding", params=query, headers={"X-System-Key": SYSTEM_KEY})
        assert [row["name"] for row in answer.json()["tenants"]] == [stored]


async def test_row_14_a_search_for_nothing_visible_is_no_search(http: httpx.AsyncClient) -> None:
    headers = {"X-System-Key": SYSTEM_KEY}
    answers = [
        await http.get("/bossman/onboarding", params={"search": text, "limit": "1"}, headers=headers)
        for text in ("", "\u200b")
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(answers[0].json()["tenants"]) == len(answers[1].json()["tenants"])


def test_row_14_the_key_of_a_clean_address_is_that_of_earlier_releases() -> None:
    assert email_keys("Jo.Smith+x@Example.com") == [hashlib.sha256(b"jo.smith+x@example.com").hexdigest()]
