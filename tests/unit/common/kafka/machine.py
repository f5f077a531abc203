"""A clock whose machine time is set by hand, too."""

from datetime import datetime

from tabiji_common.clock import SteppedClock
from tests.unit.common.kafka.records import START


class Machine(SteppedClock):
    """``seconds`` is machine time."""

    def __init__(self) -> None:
        super().__init__(START)
        self.seconds = 100.0

    def elapsed(self) -> float:
        return self.seconds

    def wall(self) -> datetime:
        return START
