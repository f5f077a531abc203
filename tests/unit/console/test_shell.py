"""What every page is under: its policy, its forms, its login, and how a service's no is shown."""

from __future__ import annotations

import re

import pytest

from tabiji_console.adapters.seal import Seal
from tabiji_console.domain.nav import within
from tests.unit.console.support import Shop, browser, send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@pytest.mark.parametrize("path", ["/journeys", "/login", "/no-such-page", "/static/shell.css", "/journeys/none"])
def test_every_answer_is_under_the_strict_policy(path: str) -> None:
    with browser(Shop()) as client:
        answer = client.get(path)
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_no_page_holds_what_the_policy_forbids() -> None:
    with browser(Shop()) as client:
        for path in ("/journeys", "/login", "/no-such-page"):
            text = client.get(path).text
            assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\ssrc=)", text), path


@pytest.mark.parametrize("fields", [{}, {"csrf": ""}, {"csrf": "0" * 64}])
def test_a_form_that_the_console_did_not_draw_changes_nothing(fields: dict[str, str]) -> None:
    with browser(Shop()) as client:
        client.get("/journeys")
        answer = client.post("/look", data={"tabiji_lang": "en", **fields})
        assert answer.status_code == 403
        assert "tabiji_lang" not in answer.headers.get("set-cookie", "")


def test_a_form_from_another_site_changes_nothing_even_with_the_token() -> None:
    with browser(Shop()) as client:
        page = client.get("/journeys").text
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
        assert token is not None
        headers = {"Sec-Fetch-Site": "cross-site"}
        answer = client.post("/look", data={"csrf": token[1], "tabiji_lang": "en"}, headers=headers)
    assert answer.status_code == 403


def test_one_visitors_token_is_no_use_to_another() -> None:
    with browser(Shop()) as client, browser(Shop()) as other:
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get("/journeys").text)
        assert token is not None
        other.get("/journeys")
        assert other.post("/look", data={"csrf": token[1]}).status_code == 403


def test_language_and_theme_are_in_the_page_from_the_first_byte() -> None:
    with browser(Shop()) as client:
        assert '<html lang="ja" data-theme="auto">' in client.get("/journeys").text
        assert client.get("/journeys", headers={"Accept-Language": "en-GB,ja;q=0.5"}).text.count('lang="en"') >= 1
        assert send(client, "/look", "/journeys", tabiji_lang="en", tabiji_theme="dark").status_code == 303
        assert '<html lang="en" data-theme="dark">' in client.get("/journeys").text


def test_whom_no_service_knows_is_asked_for_a_key_and_led_back() -> None:
    shop = Shop(keys=frozenset({"good"}))
    with browser(shop) as client:
        answer = client.get("/journeys?state=a")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?to=%2Fjourneys%3Fstate%3Da")
        assert send(client, "/login", "/login", key="bad", to="/journeys").status_code == 401
        entered = send(client, "/login", "/login", key="good", to="/journeys?state=a")
        assert (entered.status_code, entered.headers["location"]) == (303, "/journeys?state=a")
        cookie = next(c for c in entered.headers.get_list("set-cookie") if c.startswith("tabiji_session="))
        assert "httponly" in cookie.lower()
        assert "samesite=strict" in cookie.lower()
        assert "good" not in cookie
        assert client.get("/journeys").status_code == 200
        assert shop.asked[-1][2] == "good"
        send(client, "/logout", "/journeys")
        assert client.get("/journeys").status_code == 303


def test_a_part_that_is_swapped_in_sends_the_whole_page_to_the_login() -> None:
    with browser(Shop(keys=frozenset())) as client:
        answer = client.get("/journeys", headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"].startswith("/login")


def test_a_service_that_is_away_is_named_and_not_blank() -> None:
    shop = Shop()
    shop.away = {"journey"}
    with browser(shop) as client:
        answer = client.get("/journeys", headers={"Accept-Language": "en"})
    assert answer.status_code == 503
    assert "journey does not answer" in answer.text


def test_nothing_there_yet_is_said() -> None:
    with browser(Shop()) as client:
        assert "ジャーニーはまだありません" in client.get("/journeys").text


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "", "/a\nb"])
def test_nobody_is_sent_to_another_site(path: str) -> None:
    assert within(path) == "/"


def test_a_sealed_key_opens_only_under_its_secret_and_in_its_time() -> None:
    sealed = Seal("one", 3600).close("the key")
    assert Seal("one", 3600).open(sealed) == "the key"
    assert Seal("two", 3600).open(sealed) == ""
    assert Seal("one", -1).open(sealed) == ""
    assert Seal("one", 3600).open(sealed[:-4]) == ""
    assert "the key" not in sealed


def test_a_shop_without_orders_or_journeys_sees_what_to_do_and_not_a_blank_page() -> None:
    with browser(Shop()) as client:
        assert "まだ注文がありません" in client.get("/ltv").text
        assert client.get("/journeys/none").status_code == 404


def test_a_panel_whose_service_is_away_leaves_the_rest_of_the_page() -> None:
    shop = Shop(
        {("journey", "/v1/journeys"): {"journeys": [{"journey": "a", "name": "A", "version": 1, "paused": None}]}}
    )
    shop.away = {"analytics"}
    with browser(shop) as client:
        answer = client.get("/journeys")
    assert answer.status_code == 200
    assert 'href="/journeys/a"' in answer.text


def test_a_defect_of_the_consoles_is_a_page_too() -> None:
    with browser(Shop({("journey", "/v1/journeys"): {"journeys": [{}]}}), raises=False) as client:
        answer = client.get("/journeys", headers={"Accept-Language": "en"})
    assert (answer.status_code, answer.headers["Content-Security-Policy"]) == (500, POLICY)
    assert "Other pages still work" in answer.text
