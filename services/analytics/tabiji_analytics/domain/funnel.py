"""What one transition adds to ``journey_cell``."""

from __future__ import annotations

from collections.abc import Iterator

from tabiji_analytics.domain.contribution import Cells
from tabiji_analytics.domain.facts import Moved

JOURNEY = "journey_cell"
FunnelCell = tuple[str, int, bool, str, str, str, str]
"""journey, version, holdout, arms, step, state, reason."""

WAY = "way"
"""The step of cells that count who went between two states: ``state`` is where to, ``reason`` where from."""

_ARRIVES = {"entered", "moved"}
_LEAVES = {"moved", "finished", "exited"}
_GOES = {"moved", "finished"}


def cells(moved: Moved) -> Iterator[FunnelCell]:
    """The cells a transition counts in.

    ``reached`` a state, ``left`` a state, went the ``way`` from one to another, and for everything but a plain move
    what it was: entered, finished, exited, converted, suppressed, corrected. Each counts transitions, and enrollments
    once.
    """
    head = (moved.journey, moved.version, moved.holdout, moved.arms)
    if moved.what != "moved":
        yield *head, moved.what, moved.to_state or moved.from_state or "", moved.reason
    if moved.what in _ARRIVES and moved.to_state:
        yield *head, "reached", moved.to_state, ""
    if moved.what in _LEAVES and moved.from_state:
        yield *head, "left", moved.from_state, ""
    if moved.what in _GOES and moved.from_state and moved.to_state:
        yield *head, WAY, moved.to_state, moved.from_state


def contribution(moved: Moved, counted: set[tuple[str, FunnelCell]]) -> Cells:
    """What a new move adds: a transition, and an enrollment where it was not ``counted`` there; adds to ``counted``."""
    added: Cells = {}
    for cell in cells(moved):
        place = (moved.enrollment, cell)
        added[JOURNEY, *cell] = (1, int(place not in counted))
        counted.add(place)
    return added
