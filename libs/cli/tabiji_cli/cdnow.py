"""CDNOW_master.txt, CDNOW_sample.txt -> orders: the purchase log of Fader & Hardie (1997-01-01 to 1998-06-30).

The files lie in the PyPI package ``lifetimes`` (MIT), which is installed without its dependencies: it is located,
never imported.
One order is a customer's day: the rows of one day are added up, and orders of no value stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path

CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class Order:
    """What ``customer_id`` bought on ``ordered_on`` (the log has dates only), in US cents."""

    order_id: str
    customer_id: str
    ordered_on: date
    amount_minor: int


def dataset(*, full: bool = False) -> Path:
    """The file of the 1/10 sample, or the ``full`` log; raises ``FileNotFoundError`` where the package is missing."""
    spec = find_spec("lifetimes")
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    name = "CDNOW_master.txt" if full else "CDNOW_sample.txt"
    for folder in folders:
        if (path := folder / "datasets" / name).is_file():
            return path
    raise FileNotFoundError(f"{name}: the package `lifetimes` is not installed; `make setup` brings it")


def orders(path: Path) -> Iterator[Order]:
    """The orders of the log at ``path``, by date and then by customer.

    ``order_id`` is ``<customer_id>-<yyyymmdd>``. Raises ``ValueError`` with the line's number where one cannot be read.
    """
    days: dict[tuple[date, str], int] = {}
    with path.open(encoding="ascii") as file:
        for number, line in enumerate(file, 1):
            parts = line.split()
            if not parts or parts[0] == "customer_id":
                continue
            try:
                customer, day, cents = _read(parts)
            except (ValueError, IndexError) as error:
                raise ValueError(f"{path.name}, line {number}: {error}") from error
            days[day, customer] = days.get((day, customer), 0) + cents
    for (day, customer), cents in sorted(days.items()):
        yield Order(f"{customer}-{day:%Y%m%d}", customer, day, cents)


def _read(parts: list[str]) -> tuple[str, date, int]:
    # Master: customer, date, CDs, dollars. Sample: the same, with the sample's own number after the customer's.
    customer, day, dollars = parts[0], parts[-3], parts[-1]
    whole, _, fraction = dollars.partition(".")
    return customer, date.fromisoformat(day), int(whole) * 100 + int(fraction.ljust(2, "0"))
