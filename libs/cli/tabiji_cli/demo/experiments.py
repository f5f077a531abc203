"""Moves -> experiments: holdout against treated, and the arms of splits, counted in customers.

A customer has many carts but one side, so carts are no independent trials: whoever reached the goal once counts once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from tabiji_cli.demo.evidence import Arm


@dataclass(frozen=True)
class Moves:
    """The customers who made one kind of move; ``arms`` is ``split=arm,…`` of what they had drawn by then."""

    journey: str
    holdout: bool
    arms: str
    what: str
    from_state: str
    customers: frozenset[str]


def arms(moves: Iterable[Moves]) -> list[Arm]:
    """Every group of every experiment with its people and how many of them reached the goal.

    An arm counts the treated who came out of its split: those in holdout got no message of either.
    """
    people: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    reached: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for move in moves:
        side = (move.journey, "holdout", "holdout" if move.holdout else "treated")
        if move.what == "entered":
            people[side] |= move.customers
        if move.what == "converted":
            reached[side] |= move.customers
        for split, arm in [] if move.holdout else _drawn(move.arms):
            if move.what == "moved" and move.from_state == split:
                people[move.journey, split, arm] |= move.customers
            if move.what == "converted":
                reached[move.journey, split, arm] |= move.customers
    return [Arm(*group, len(people[group]), len(reached[group] & people[group])) for group in sorted(people)]


def _drawn(text: str) -> list[tuple[str, str]]:
    pairs = (part.partition("=") for part in text.split(",") if part)
    return [(split, arm) for split, _, arm in pairs]
