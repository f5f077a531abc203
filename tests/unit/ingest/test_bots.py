"""Machines that open and click are known by what they say of themselves."""

import pytest

from tabiji_ingest.domain.bots import is_machine

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
THUNDERBIRD = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


@pytest.mark.parametrize("agent", [CHROME, IPHONE, THUNDERBIRD, "", "Microsoft Outlook 16.0"])
def test_a_persons_reader_is_no_machine(agent: str) -> None:
    assert not is_machine(agent, {})


@pytest.mark.parametrize(
    "agent",
    [
        GMAIL,
        "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        "Mozilla/5.0",
        "Mozilla/5.0 (compatible; Barracuda Sentinel)",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) BingPreview/1.0b",
        "Mozilla/5.0 (compatible; Googlebot/2.1)",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "Mozilla/5.0 (X11; Linux) HeadlessChrome/126.0",
    ],
)
def test_a_known_scanner_or_proxy_is_a_machine(agent: str) -> None:
    assert is_machine(agent, {})


def test_a_prefetch_is_a_machines_whoever_reads() -> None:
    assert is_machine(CHROME, {"sec-purpose": "prefetch;prerender"})
    assert is_machine(CHROME, {"purpose": "prefetch"})
    assert is_machine(CHROME, {}, method="HEAD")
    assert not is_machine(CHROME, {"sec-fetch-dest": "image"})


def test_a_shop_may_count_proxies_that_load_when_a_person_opens() -> None:
    assert not is_machine(GMAIL, {}, count_image_proxies=True)
    assert is_machine("Mozilla/5.0", {}, count_image_proxies=True)
