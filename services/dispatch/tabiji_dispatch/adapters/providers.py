"""Providers from the installation's settings."""

from __future__ import annotations

from tabiji_common.clock import Clock
from tabiji_dispatch.adapters.line import LineProvider
from tabiji_dispatch.adapters.smtp import SmtpProvider
from tabiji_dispatch.adapters.webhook import WebhookProvider
from tabiji_dispatch.domain.carrier import Carrier
from tabiji_dispatch.domain.message import MARKETING
from tabiji_dispatch.domain.outcomes import Capability, Keyed, Unkeyed
from tabiji_dispatch.ports import Provider
from tabiji_dispatch.settings import ProviderSettings


def carrier_of(settings: ProviderSettings) -> Carrier:
    """What the ledger needs to know of it."""
    return Carrier(
        name=settings.name,
        channels=frozenset(settings.channels),
        marketing=_capability(settings, MARKETING),
        transactional=_capability(settings, "transactional"),
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
    if settings.kind != "smtp":
        return Keyed(settings.key_ttl, settings.key_margin)
    policy = settings.marketing if message_class == MARKETING else settings.transactional
    return Unkeyed(settings.resends if policy == "at_least_once" else 0)
