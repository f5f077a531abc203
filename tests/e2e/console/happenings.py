"""What goes on happening after a simulated run, and what is waited for."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from tabiji_cli.mailbox import CUT
from tests.e2e.console.conftest import Shown


def fresh(name: str, count: int) -> list[str]:
    """Customers that no run has had."""
    mark = secrets.token_hex(2)
    return [f"{name}-{mark}-{n}" for n in range(1, count + 1)]


def until(holds: Callable[[], Any], within: float = 150) -> Any:
    """What ``holds`` answers once it is true; services apply what they were told in a moment."""
    end = time.monotonic() + within
    while not (found := holds()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.2)
    return found


def rest(shown: Shown) -> None:
    """Wait until everything that happened is applied everywhere: two looks find nobody at work, and nothing done."""

    def look() -> list[tuple[Any, ...]]:
        idles = [shown.idle(service) for service in ("journey", "dispatch", "analytics")]
        return [(one["work"], one["lag"] + one["unpublished"] + one["due"] + one["machine"]) for one in idles]

    until(lambda: (seen := look()) == look() and not any(left for _, left in seen))


def joins(customer: str, address: str, *, consent: bool = True, total: float = 49.8) -> list[dict[str, Any]]:
    """A customer who buys for the first time."""
    agrees = {"type": "track", "userId": customer, "event": "Consent Given", "properties": {"channel": "email"}}
    order = {"order_id": f"o-{customer}", "total": total, "currency": "USD"}
    return [
        {"type": "identify", "userId": customer, "traits": {"email": address, "name": "山田 花子"}},
        *([agrees] if consent else []),
        {"type": "track", "userId": customer, "event": "Order Completed", "properties": order},
    ]


def messages(shown: Shown, customer: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shown.get("dispatch", "/v1/deliveries", workspace="demo", customer=customer)
    return found


def in_journey(shown: Shown, prefix: str) -> list[str]:
    """Names of customers whom the F2 journey will treat: it is a hash who is in its holdout."""
    names = fresh(prefix, 6)
    shown.happens(*(event for name in names for event in joins(name, f"{name}@example.com")))
    rest(shown)
    return [name for name in names if messages(shown, name)]


def part(shown: Shown, count: int) -> None:
    """Make so many messages that nobody knows the end of, others between them: a provider that fails in a row rests."""
    made = 0
    while made < count:
        [name, other] = fresh("parted", 2)
        shown.happens(*joins(name, f"{name}{CUT}"), *joins(other, f"{other}@example.com"))
        rest(shown)
        made += any(one["state"] == "unknown" for one in messages(shown, name))


def live(made: Any) -> dict[str, str]:
    """Every live figure of the page by its id."""
    return dict(
        made.page.eval_on_selector_all(
            "[data-live-id]", "all => all.map(e => [e.dataset.liveId, e.textContent.trim()])"
        )
    )
