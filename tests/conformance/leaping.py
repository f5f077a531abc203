"""The toy with a wall clock that a test sets: seconds ahead of the real one, in a file."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from tabiji_common.clock import LiveClock
from tabiji_common.service import Service
from tests.conformance import toy


class Leaping(LiveClock):
    """Reads the file anew each time."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def now(self) -> datetime:
        """The wall's time, and what the file adds."""
        return super().now() + timedelta(seconds=float(self.file.read_text()))


def main() -> None:
    """Run until stopped; ``TOY_CLOCK`` names the file."""
    service = Service("toy").migrations(Path(toy.__file__).parent / "toy_migrations")
    service.clock = Leaping(Path(os.environ["TOY_CLOCK"]))
    service.run(toy.build)


if __name__ == "__main__":
    main()
