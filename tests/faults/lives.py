"""Random journeys and lives, and what has to become of them: an oracle that shares no line with the engine.

Time is minutes from the start; a tick is a multiple of ``TICK``. Mails leave at the first tick not before they were
decided, and the outcome is known then.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

TICK = 480
TICKS = 7
HOUR = 60
END = "end"


@dataclass(frozen=True)
class Step:
    """One state: ``rest`` for hours, ``watch`` for a view until hours are over, ``send``. Leads onward only."""

    kind: str
    hours: int
    then: int
    otherwise: int


@dataclass(frozen=True)
class Life:
    """What one customer does: (minute, start, view or bye), no two in the same minute of an hour."""

    events: tuple[tuple[int, str], ...]


@dataclass
class Fate:
    """The states entered with their minutes, the templates of mails that left, and whether it is over."""

    path: list[tuple[str, int]] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)


def name(number: int, steps: tuple[Step, ...]) -> str:
    return f"s{number}" if number < len(steps) else END


@st.composite
def journeys(draw: st.DrawFn) -> tuple[Step, ...]:
    """One to six states."""
    count = draw(st.integers(1, 6))
    made = []
    for number in range(count):
        onward = st.integers(number + 1, count)
        kind = draw(st.sampled_from(["rest", "watch", "send"]))
        made.append(Step(kind, draw(st.integers(1, 20)), number + 1, draw(onward) if kind == "watch" else number + 1))
    return tuple(made)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """A start, and up to six things more in two days."""
    kinds = draw(st.lists(st.sampled_from(["start", "view", "view", "bye"]), max_size=6))
    minutes = draw(st.permutations(range(1, HOUR)))
    hours = draw(st.lists(st.integers(0, 47), min_size=len(kinds) + 1, max_size=len(kinds) + 1))
    events = zip(["start", *kinds], hours, minutes, strict=False)
    return Life(tuple(sorted((hour * HOUR + minute, kind) for kind, hour, minute in events)))


def tick_of(minute: int) -> int:
    """The first tick not before ``minute``."""
    return -(-minute // TICK) * TICK


class Oracle:
    """One customer in one journey, minute by minute of what is next."""

    def __init__(self, steps: tuple[Step, ...], life: Life) -> None:
        self.steps, self.life = steps, life
        self.fate = Fate()
        self.at: int | None = None  # the state, while inside
        self.alarm: int | None = None
        self.since = 0  # views from here on count: after the start, and after the one that ended a watch

    def told(self) -> Fate:
        """Until the last tick."""
        events = list(self.life.events)
        while True:
            event = events[0][0] if events else TICK * TICKS + 1
            if self.at is not None and self.alarm is not None and self.alarm < event:
                if self.alarm > TICK * TICKS:
                    return self.fate
                self._alarm(self.alarm)
            elif events:
                self._event(*events.pop(0))
            else:
                return self.fate

    def _alarm(self, minute: int) -> None:
        assert self.at is not None
        step = self.steps[self.at]
        if step.kind == "send":
            self.fate.mails.append(f"t{self.at}")
        self._enter(step.otherwise if step.kind == "watch" else step.then, minute)

    def _event(self, minute: int, kind: str) -> None:
        if kind == "start" and not self.fate.path:
            self.since = minute
            self._enter(0, minute)
        elif self.at is None:
            return
        elif kind == "bye":
            self.fate.path.append(("exited", minute))
            self.at = self.alarm = None
        elif kind == "view" and self.steps[self.at].kind == "watch":
            self.since = minute
            self._enter(self.steps[self.at].then, minute)

    def _enter(self, number: int, minute: int) -> None:
        self.fate.path.append((name(number, self.steps), minute))
        if number == len(self.steps):
            self.at = self.alarm = None
            return
        self.at, step = number, self.steps[number]
        if step.kind == "send":
            self.alarm = tick_of(minute)
            return
        self.alarm = minute + step.hours * HOUR
        seen = [at for at, kind in self.life.events if kind == "view" and self.since < at <= minute]
        if step.kind == "watch" and seen:
            self.since = seen[-1]
            self._enter(step.then, minute)
