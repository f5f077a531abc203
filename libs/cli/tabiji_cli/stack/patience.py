"""How long a start is waited for: while the process lives, five minutes at most, aloud; and what it wrote meanwhile."""

import time
from collections.abc import Callable
from pathlib import Path

LONGEST = 300.0
SAID_EVERY = 15.0
MINE = 20


class Patience:
    """One wait; ``tell`` hears every 15 seconds what is still waited for."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._begun = time.monotonic()
        self._again = SAID_EVERY

    @property
    def seconds(self) -> float:
        """How long it has been."""
        return time.monotonic() - self._begun

    def lasts(self, why: str) -> bool:
        """Whether to go on waiting; ``why`` says what is not there yet."""
        if self.seconds >= self._again:
            self._again += SAID_EVERY
            self._tell(f"{why}; waiting since {self.seconds:.0f} s, {LONGEST:.0f} s at most")
        return self.seconds < LONGEST


class Written:
    """What a log gets from now on: lines of an earlier run are nobody's concern at this start."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._from = log.stat().st_size if log.exists() else 0

    def tail(self, lines: int = MINE) -> str:
        """The newest lines since; empty for none."""
        if not self._log.exists():
            return ""
        with self._log.open("rb") as log:
            log.seek(self._from if self._log.stat().st_size >= self._from else 0)  # put aside: all of it is new
            text = log.read().decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:])
