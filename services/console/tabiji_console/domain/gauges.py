"""The text of ``/metrics`` as figures, added up over what a question does not name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Gauges:
    """Samples of one process by name."""

    samples: Mapping[str, list[tuple[Labels, float]]] = field(default_factory=dict)

    def total(self, name: str, **labels: str) -> float | None:
        """The sum of a name's samples with these labels; ``None`` where there are none."""
        found = [value for has, value in self.samples.get(name, ()) if labels.items() <= has.items()]
        return sum(found) if found else None

    def by(self, name: str, label: str) -> dict[str, float]:
        """The sums of a name's samples by one of its labels."""
        sums: dict[str, float] = defaultdict(float)
        for has, value in self.samples.get(name, ()):
            sums[has.get(label, "")] += value
        return dict(sums)


def read_gauges(text: str) -> Gauges:
    """The samples in the Prometheus text format; raises ``ValueError`` where it is none."""
    samples: dict[str, list[tuple[Labels, float]]] = defaultdict(list)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples[sample.name].append((sample.labels, sample.value))
    return Gauges(dict(samples))
