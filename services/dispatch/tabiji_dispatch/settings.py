"""Dispatch's settings: who carries which channel, limits, quiet hours, leases."""

from __future__ import annotations

import ipaddress
from datetime import time
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field

from tabiji_common.errors import Misconfigured
from tabiji_common.settings import Settings

LINE_API = "https://api.line.me"
Policy = Literal["", "keyed", "lookup", "at_most_once", "at_least_once"]


class ProviderSettings(BaseModel):
    """One provider: which channels it carries, how fast, and what an unknown outcome means."""

    name: str = Field(pattern=r"^[a-z0-9_-]+$", description="Its name in the ledger, in metrics and on kill switches")
    kind: Literal["smtp", "webhook", "line"] = Field("smtp", description="Which adapter")
    channels: list[str] = Field(description="Channels it carries; of several providers of one, the first that works")
    marketing: Policy = Field(
        "", description="On unknown; empty: keyed where the provider keeps keys, else at_most_once"
    )
    transactional: Policy = Field("", description="The same for transactional messages")
    resends: int = Field(2, ge=1, description="Most resends on unknown under at_least_once")
    key_ttl: float = Field(86_400, description="Seconds for which a keyed provider remembers a key")
    key_margin: float = Field(3_600, description="Seconds before that at which we stop to rely on it")
    lookup_url: str = Field("", description="webhook: where to GET what became of {key}")
    lookup_settle: float = Field(30, ge=0, description="Seconds after an attempt before it can be looked up")
    slots: int = Field(32, ge=1, description="Sends at a time")
    rate: float = Field(0, ge=0, description="Sends a second of machine time; 0 is without limit")
    timeout: float = Field(25, gt=0, description="Seconds for one send; never more than half the lease")
    quota: int = Field(0, ge=0, description="Most messages in a calendar month (Asia/Tokyo); 0 is without limit")
    attempts: int = Field(12, ge=1, description="Refusals of a message until it fails; an outage refuses none")
    host: str = Field("127.0.0.1", description="smtp: host")
    port: int = Field(11025, description="smtp: port")
    tls: Literal["none", "starttls", "tls"] = Field("none", description="smtp: encryption")
    user: str = Field("", description="smtp: user")
    password: str = Field("", description="smtp: password")
    sender: str = Field("Tabiji <no-reply@example.com>", description="smtp: From, as name <address>")
    url: str = Field("", description="webhook: where to POST; line: the API's address, LINE's own where empty")
    secret: str = Field("", description="webhook: signing secret (whsec_…)")
    token: str = Field("", description="line: channel access token")

    def policy(self, message_class: str) -> Policy:
        """What is done with an unknown outcome."""
        chosen = self.marketing if message_class == "marketing" else self.transactional
        return chosen or ("at_most_once" if self.kind == "smtp" else "keyed")

    def problem(self) -> str:
        """What it lacks; empty for nothing."""
        if self.kind == "webhook" and not (self.url and self.secret):
            return "needs a url and a secret"
        if self.kind == "line" and not (self.token and self.token.isascii() and self.token.isprintable()):
            return "needs a token of printable ASCII"
        policies = {self.policy("marketing"), self.policy("transactional")}
        if "keyed" in policies and self.kind == "smtp":
            return "is SMTP, which knows no key"
        if "lookup" in policies and (self.kind != "webhook" or "{key}" not in self.lookup_url):
            return "needs kind webhook and a lookup_url with {key}"
        return ""

    def target(self) -> str:
        """The host that messages leave to."""
        return self.host if self.kind == "smtp" else (urlsplit(self.address()).hostname or "")

    def address(self) -> str:
        """Where HTTP requests go."""
        return self.url or (LINE_API if self.kind == "line" else "")


class DispatchSettings(Settings):
    """Environment variables ``TABIJI_*`` of the dispatch service; ``providers`` is JSON and replaces the SMTP ones."""

    port: int = Field(8030, description="Port of dispatch's HTTP API")
    providers: list[ProviderSettings] = Field(
        [], description="Providers as a JSON list; empty: one SMTP server for e-mail"
    )
    smtp_host: str = Field("127.0.0.1", description="SMTP server of the default provider")
    smtp_port: int = Field(11025, description="Its port")
    smtp_tls: Literal["none", "starttls", "tls"] = Field("none", description="Its encryption")
    smtp_user: str = Field("", description="Its user")
    smtp_password: str = Field("", description="Its password")
    smtp_sender: str = Field("Tabiji <no-reply@example.com>", description="From, as name <address>")
    smtp_slots: int = Field(32, ge=1, description="Connections to it at a time")
    smtp_rate: float = Field(0, ge=0, description="Mails a second; 0 is without limit")
    line_token: str = Field("", description="LINE's channel access token; with it the default providers carry LINE too")
    line_url: str = Field("", description="Address of LINE's API; empty: LINE's own")
    line_quota: int = Field(0, ge=0, description="Most LINE messages in a calendar month (Asia/Tokyo); 0: no limit")
    templates: Path = Field(Path("journeys"), description="Folder of templates, <journey>/<template>/…")
    shop_name: str = Field("Tabiji Shop", description="The shop's name in templates")
    shop_url: str = Field("https://shop.example.com", description="The shop's address in templates")
    shop_address: str = Field("", description="Its postal address in templates (a law may ask for it)")
    shop_contact: str = Field("", description="Where complaints go, in templates")
    lease: float = Field(60, gt=0, description="Seconds of wall time that an attempt may take before it is unknown")
    quiet_start: time = Field(time(21), description="Marketing is quiet from here, in the customer's zone")
    quiet_end: time = Field(time(8), description="… to here; equal to the start: never quiet")
    cap: int = Field(0, ge=0, description="Most marketing messages to a customer within the cap's window; 0: no cap")
    cap_hours: float = Field(24, gt=0, description="The cap's window")
    brake_repeats: int = Field(
        0, ge=0, description="Most messages of one template to a customer in an hour; 0: no limit"
    )
    brake_surge: float = Field(0, ge=0, description="Messages an hour above this multiple of the usual wait; 0: never")
    brake_floor: int = Field(1000, ge=1, description="Messages an hour that are never too many")
    heartbeat: float = Field(5, gt=0, description="Seconds between looks at whether the database is still the same")

    def carriers(self) -> list[ProviderSettings]:
        """The providers; raises ``Misconfigured`` where one cannot work, or simulated mail would leave this machine."""
        chosen = self.providers or self._defaults()
        self._refuse(chosen)
        return chosen

    def unsaid(self) -> list[str]:
        """Settings that are empty, and that marketing mail has to show by law (特定電子メール法)."""
        if not any("email" in one.channels for one in self.carriers()):
            return []
        told = {"TABIJI_SHOP_ADDRESS": self.shop_address, "TABIJI_SHOP_CONTACT": self.shop_contact}
        return [name for name, value in told.items() if not value.strip()]

    def _defaults(self) -> list[ProviderSettings]:
        made = [
            ProviderSettings(
                name="smtp",
                channels=["email"],
                host=self.smtp_host,
                port=self.smtp_port,
                tls=self.smtp_tls,
                user=self.smtp_user,
                password=self.smtp_password,
                sender=self.smtp_sender,
                slots=self.smtp_slots,
                rate=self.smtp_rate,
            )
        ]
        if self.line_token:
            made.append(
                ProviderSettings(
                    name="line",
                    kind="line",
                    channels=["line"],
                    token=self.line_token,
                    url=self.line_url,
                    quota=self.line_quota,
                )
            )
        return made

    def _refuse(self, chosen: list[ProviderSettings]) -> None:
        if len({one.name for one in chosen}) < len(chosen):
            raise Misconfigured("TABIJI_PROVIDERS: every name may stand once")
        for one in chosen:
            if problem := one.problem():
                raise Misconfigured(f"TABIJI_PROVIDERS: {one.name} {problem}")
        if self.clock == "simulated":
            for one in chosen:
                hosts = [one.target(), *([urlsplit(one.lookup_url).hostname or ""] if one.lookup_url else [])]
                if not all(map(is_loopback, hosts)):
                    raise Misconfigured(f"TABIJI_PROVIDERS: {one.name} is off loopback, and the clock is simulated")


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine by its spelling; nothing is resolved."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
