"""The colours of the terminal: blue is the road, green the goal and nothing else, amber what is held or unknown."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text

ROAD, GOAL, WARN, BAD, FAINT = "#74b8da", "#58c79b", "#e3b04b", "#f08a75", "#8a989f"
_COLD, _WARM = (0x16, 0x21, 0x27), (0x9B, 0xCF, 0xE7)
_BLOCKS = " ▏▎▍▌▋▊▉█"
_SPARKS = "▁▂▃▄▅▆▇█"


def heat(share: float) -> Style:
    """A cell's colours for a share from 0 (cold) to 1 (warm); the figure on it stays readable."""
    share = min(max(share, 0.0), 1.0)
    red, green, blue = (round(c + (w - c) * share) for c, w in zip(_COLD, _WARM, strict=True))
    ink = "#0d1215" if share > 0.45 else "#e6edf0"
    return Style(color=ink, bgcolor=f"#{red:02x}{green:02x}{blue:02x}")


def bar(share: float, width: int, colour: str = ROAD) -> Text:
    """A bar of ``share`` of ``width`` characters, to an eighth of one."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    if share > 0:
        eighths = max(eighths, 1)
    full, rest = divmod(eighths, 8)
    return Text(("█" * full + _BLOCKS[rest]).ljust(width)[:width], style=colour)


def spark(values: list[float]) -> str:
    """A curve in one line, from 0 to the largest value."""
    top = max(values, default=0) or 1
    return "".join(_SPARKS[min(int(max(value, 0) / top * 8), 7)] for value in values)
