"""Which fetches of a pixel or link are a machine's: known scanners and proxies, by what they say of themselves.

A machine's open or click is kept, marked ``machine``, and does not count as a person's. Sources: the agents that the
vendors document (Google "via ggpht.com GoogleImageProxy", Yahoo "YahooMailProxy", Apple Mail Privacy Protection's
bare "Mozilla/5.0", Microsoft's BingPreview and SkypeUriPreview, Outlook Safe Links' preview; Barracuda, Proofpoint,
Mimecast, Symantec), the link previews of messengers, and the prefetch headers of browsers (Fetch standard,
``Sec-Purpose``). Gmail's and Yahoo's proxies load an image when a person opens the mail, Apple's when it arrives; a
shop that wants to count the former sets ``TABIJI_COUNT_IMAGE_PROXIES``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

IMAGE_PROXIES = re.compile(r"googleimageproxy|yahoomailproxy|yahoocachesystem|naverimageproxy", re.IGNORECASE)
"""Proxies that fetch when the mail is opened."""

SCANNERS = re.compile(
    r"""
    barracuda | proofpoint | mimecast | symantec | messagelabs | trendmicro | fireeye | forcepoint | cisco.?ironport
    | sophos | zscaler | cloudmark | vade.?secure | trustwave | mailguard | safelinks | bingpreview
    | skypeuripreview | microsoft.?preview | office.existence.discovery | ms-office | slackbot | slack-imgproxy
    | facebookexternalhit | twitterbot | discordbot | telegrambot | whatsapp | linespider | linkedinbot | googlebot
    | bingbot | applebot | adsbot | crawler | spider | headlesschrome | phantomjs | urlscan | virustotal
    | google-safety | google-read-aloud | link.?preview | link.?check
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Security scanners, link previews and crawlers: nobody has looked."""

_APPLE_PRIVACY = "mozilla/5.0"


def is_machine(
    agent: str, headers: Mapping[str, str], *, method: str = "GET", count_image_proxies: bool = False
) -> bool:
    """Whether a fetch is a known machine's; ``headers`` has lower-case names."""
    if method == "HEAD":
        return True
    purpose = " ".join(headers.get(name, "") for name in ("sec-purpose", "purpose", "x-purpose", "x-moz"))
    if "prefetch" in purpose or "preview" in purpose:
        return True
    if agent.strip().lower() == _APPLE_PRIVACY or SCANNERS.search(agent):
        return True
    return not count_image_proxies and IMAGE_PROXIES.search(agent) is not None
