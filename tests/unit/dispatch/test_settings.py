"""Providers from the environment, and what is refused."""

import json

import pytest

from tabiji_common.errors import Misconfigured
from tabiji_dispatch.__main__ import main, routes_of, terms_of
from tabiji_dispatch.domain.outcomes import Keyed, Lookup, Unkeyed
from tabiji_dispatch.settings import DispatchSettings, is_loopback

HOOK = {"name": "hook", "kind": "webhook", "channels": ["line"], "url": "http://127.0.0.1:1/x", "secret": "whsec_eA=="}


def settings(monkeypatch: pytest.MonkeyPatch, **environment: str) -> DispatchSettings:
    for name, value in environment.items():
        monkeypatch.setenv(f"TABIJI_{name.upper()}", value)
    return DispatchSettings()


def test_without_a_word_mail_goes_to_the_local_sink(monkeypatch: pytest.MonkeyPatch) -> None:
    [one] = settings(monkeypatch).carriers()
    assert (one.name, one.channels, one.host, one.port) == ("smtp", ["email"], "127.0.0.1", 11025)


def test_the_mail_servers_port_has_a_setting_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(monkeypatch, smtp_port="2525").carriers()[0].port == 2525


def test_providers_come_as_json_with_a_policy_for_each_class(monkeypatch: pytest.MonkeyPatch) -> None:
    mail = {"name": "mail", "channels": ["email"], "transactional": "at_least_once", "resends": 3}
    terms = terms_of(settings(monkeypatch, providers=json.dumps([mail, HOOK])))
    assert terms.carriers["mail"].marketing == Unkeyed(0)
    assert terms.carriers["mail"].transactional == Unkeyed(3)
    assert terms.carriers["hook"].marketing == Keyed(86_400, 3_600)


TWICE = [[HOOK, HOOK], [HOOK | {"url": ""}], [HOOK | {"secret": ""}]]


@pytest.mark.parametrize("providers", TWICE)
def test_a_name_twice_and_a_hook_without_url_or_secret_are_refused(
    monkeypatch: pytest.MonkeyPatch, providers: list[dict[str, object]]
) -> None:
    with pytest.raises(Misconfigured):
        settings(monkeypatch, providers=json.dumps(providers)).carriers()


@pytest.mark.parametrize("host", ["mail.example.com", "10.0.0.1", "192.168.0.1", "169.254.169.254"])
def test_simulated_time_refuses_a_provider_off_loopback(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    with pytest.raises(Misconfigured, match="loopback"):
        settings(monkeypatch, clock="simulated", smtp_host=host).carriers()
    assert settings(monkeypatch, clock="live", smtp_host=host).carriers()


def test_simulated_time_refuses_a_hook_off_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    away = HOOK | {"url": "https://hooks.example.com/127.0.0.1"}
    with pytest.raises(Misconfigured, match="loopback"):
        settings(monkeypatch, clock="simulated", providers=json.dumps([away])).carriers()


@pytest.mark.parametrize(("host", "is_"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("", False)])
def test_loopback_is_told_by_spelling(host: str, is_: bool) -> None:
    assert is_loopback(host) is is_


def test_a_line_token_adds_line_with_its_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    mail, line = settings(monkeypatch, line_token="t", line_quota="200").carriers()
    assert (mail.name, line.name, line.channels, line.quota) == ("smtp", "line", ["line"], 200)
    assert line.address() == "https://api.line.me"
    with pytest.raises(Misconfigured, match="loopback"):
        settings(monkeypatch, clock="simulated").carriers()
    with pytest.raises(Misconfigured, match="token"):
        settings(monkeypatch, clock="live", line_token="a\nb").carriers()


def test_the_policy_is_chosen_for_each_class(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = HOOK | {"transactional": "lookup", "lookup_url": "http://127.0.0.1:1/{key}", "lookup_settle": 5}
    carrier = terms_of(settings(monkeypatch, providers=json.dumps([asked]))).carriers["hook"]
    assert (carrier.marketing, carrier.transactional) == (Keyed(86_400, 3_600), Lookup(5))


NOT_OFFERED = [
    {"name": "mail", "channels": ["email"], "marketing": "keyed"},
    {"name": "mail", "channels": ["email"], "marketing": "lookup", "lookup_url": "http://127.0.0.1/{key}"},
    HOOK | {"marketing": "lookup"},
    HOOK | {"marketing": "lookup", "lookup_url": "http://127.0.0.1/all"},
    {"name": "line", "kind": "line", "channels": ["line"], "token": "t", "marketing": "lookup"},
]


@pytest.mark.parametrize("provider", NOT_OFFERED)
def test_a_policy_that_the_provider_does_not_offer_is_refused(
    monkeypatch: pytest.MonkeyPatch, provider: dict[str, object]
) -> None:
    with pytest.raises(Misconfigured):
        settings(monkeypatch, providers=json.dumps([provider])).carriers()


def test_simulated_time_refuses_a_look_up_off_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    away = HOOK | {"lookup_url": "https://hooks.example.com/{key}"}
    with pytest.raises(Misconfigured, match="loopback"):
        settings(monkeypatch, clock="simulated", providers=json.dumps([away])).carriers()


def test_of_two_providers_of_a_channel_the_first_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    terms = terms_of(settings(monkeypatch, providers=json.dumps([HOOK, HOOK | {"name": "other"}])))
    assert routes_of(terms) == {"line": "hook"}


def test_what_marketing_mail_has_to_show_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(monkeypatch).unsaid() == ["TABIJI_SHOP_ADDRESS", "TABIJI_SHOP_CONTACT"]
    assert settings(monkeypatch, providers=json.dumps([HOOK])).unsaid() == []
    said = settings(monkeypatch, providers="[]", shop_address="東京都港区芝1-2-3", shop_contact="a@example.com")
    assert said.unsaid() == []


def test_without_a_workspace_secret_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABIJI_POSTGRES_DSN", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("TABIJI_WORKSPACE_SECRET", "")
    with pytest.raises(Misconfigured, match="TABIJI_WORKSPACE_SECRET is empty"):
        main()
