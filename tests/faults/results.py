"""Runs of the fault suite on disk, one file a row, so that a stopped suite goes on where it was."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.faults.suite import Figures, Row

FOLDER = Path(__file__).parents[2] / ".tabiji" / "faults"


class Run(msgspec.Struct):
    """One run: its seed, the code it ran on, how long it took, its figures or why it failed."""

    seed: int
    code: str
    seconds: float
    figures: Figures
    failure: str = ""

    @property
    def clean(self) -> bool:
        return not self.failure and self.figures.clean


class Kept(msgspec.Struct):
    """All runs of a row so far."""

    number: int
    date: str = ""
    runs: list[Run] = []

    def sum(self, name: str) -> int:
        """A figure over all runs."""
        return sum(getattr(run.figures, name) for run in self.runs)


def path(number: int) -> Path:
    return FOLDER / f"{number}.json"


def read(number: int) -> Kept:
    """What is kept of a row; empty where nothing is."""
    file = path(number)
    return msgspec.json.decode(file.read_bytes(), type=Kept) if file.exists() else Kept(number)


def keep(kept: Kept) -> None:
    """Write a row's runs, whole or not at all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    new = path(kept.number).with_suffix(".new")
    new.write_bytes(msgspec.json.format(msgspec.json.encode(kept)))
    new.rename(path(kept.number))


def missing(row: Row, count: int) -> list[int]:
    """The seeds of ``row`` that have not run yet."""
    done = {run.seed for run in read(row.number).runs}
    return [seed for seed in range(count) if seed not in done]
