"""Providers from the installation's settings."""

from __future__ import annotations

from tabiji_common.clock import Clock
from tabiji_dispatch.adapters.line import LineProvider
from tabiji_dispatch.adapters.smtp import SmtpProvider
from tabiji_dispatch.adapters.webhook import WebhookProvider
from tabiji_dispatch.domain.carrier import Carrier
from tabiji_dispatch.domain.message import MARKETING, TRANSACTIONAL
from tabiji_dispatch.domain.outcomes import Capability, Keyed, Lookup, Unkeyed
from tabiji_dispatch.ports import Provider
from tabiji_dispatch.settings import ProviderSettings


def carrier_of(settings: ProviderSettings) -> Carrier:
    """What the ledger needs to know of it."""
    return Carrier(
        name=settings.name,
        channels=frozenset(settings.channels),
        marketing=_capability(settings, MARKETING),
        transactional=_capability(settings, TRANSACTIONAL),
        slots=settings.slots,
        rate=settings.rate,
        timeout=settings.timeout,
        attempts=settings.attempts,
        quota=settings.quota,
    )


def provider_of(settings: ProviderSettings, clock: Clock) -> Provider:
    """The adapter that carries its messages."""
    match settings.kind:
        case "smtp":
            return SmtpProvider(settings, clock)
        case "line":
            return LineProvider(settings)
        case "webhook":
            return WebhookProvider(settings, clock)


def _capability(settings: ProviderSettings, message_class: str) -> Capability:
    match settings.policy(message_class):
        case "keyed":
            return Keyed(settings.key_ttl, settings.key_margin)
        case "lookup":
            return Lookup(settings.lookup_settle)
        case "at_least_once":
            return Unkeyed(settings.resends)
        case _:
            return Unkeyed()
