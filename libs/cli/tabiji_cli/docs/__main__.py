"""``python -m tabiji_cli.docs``: bring ``docs/`` up to date with the code."""

from __future__ import annotations

from tabiji_cli.docs.pages import write
from tabiji_cli.stack.home import project_root


def main() -> None:
    """Write, and say what changed."""
    changed = write(project_root() / "docs")
    print(f"written: {', '.join(changed)}" if changed else "docs are up to date")  # noqa: T201 - that is its answer


if __name__ == "__main__":
    main()
