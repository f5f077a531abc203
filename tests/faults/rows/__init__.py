"""The rows, a module a family; importing one registers what is in it."""

from importlib import import_module

FAMILIES = (
    "ingest",
    "broker",
    "overload",
    "runtime",
    "stores",
    "cluster",
    "cut",
    "full",
    "dispatch",
    "crowd",
    "wire",
    "time",
    "lives",
    "history",
    "torture",
    "planted",
)


def register() -> None:
    """Put every row that is built into the register."""
    for family in FAMILIES:
        import_module(f"{__name__}.{family}")
