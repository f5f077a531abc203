"""``docs/metrics.md``: every metric that a service exposes on its admin port."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Histogram
from prometheus_client.metrics import MetricWrapperBase

from tabiji_cli import listings, services
from tabiji_cli.docs.markdown import code, page, table

OPENING = """
Every process answers `/metrics` on its admin port (the port of its API + 1000). Labels are closed sets, and never a
customer. What to watch, and what each one means when it is not as it should be, is in [operations.md](operations.md)
and on each service's card. Beside these are the `python_*` and `process_*` metrics of Prometheus's client.
""".strip()


def metrics_page() -> str:
    """The page."""
    parts: list[str] = []
    for package, title in {"tabiji_common": "every service", **{f"tabiji_{n}": n for n in services.PROCESSES}}.items():
        rows = table(["metric", "type", "labels", "meaning"], map(_row, declared(package)))
        if rows:
            parts += [f"## {title}", rows]
    return page("Metrics", OPENING, *parts)


def declared(package: str) -> list[MetricWrapperBase]:
    """The metrics that the modules of ``package`` declare, by name."""
    found = {
        name_of(metric): metric for module in listings.loaded(package) for metric in _in(module.__name__, vars(module))
    }
    return [metric for _, metric in sorted(found.items())]


def _in(module: str, names: dict[str, object]) -> Iterator[MetricWrapperBase]:
    """Only what is declared here: a module that imports a metric of its own package shows the same one."""
    package = module.partition(".")[0]
    for value in names.values():
        if isinstance(value, MetricWrapperBase) and name_of(value).startswith(_prefixes(package)):
            yield value


def _prefixes(package: str) -> tuple[str, ...]:
    own = package.removeprefix("tabiji_")
    return ("tabiji_runtime_", "tabiji_common_") if own == "common" else (f"tabiji_{own}_",)


def name_of(metric: MetricWrapperBase) -> str:
    """The name as it is scraped, but for a histogram's endings."""
    (family,) = metric.describe()
    return f"{family.name}_total" if family.type == "counter" else str(family.name)


def _row(metric: MetricWrapperBase) -> tuple[str, str, str, str]:
    (family,) = metric.describe()
    labels = ", ".join(map(code, metric._labelnames))  # noqa: SLF001 - the client has no public name for them
    endings = " (`_bucket`, `_sum`, `_count`)" if isinstance(metric, Histogram) else ""
    return code(name_of(metric)), f"{family.type}{endings}", labels, family.documentation
