"""``python -m tabiji_cli.scaffold NAME``: write a service into this tree."""

from __future__ import annotations

import sys

from tabiji_cli.scaffold.build import NotThisName, build
from tabiji_cli.stack.home import project_root


def main(words: list[str]) -> None:
    """Write it, and say what is there now."""
    if len(words) != 1:
        sys.exit("one name: make new-service name=vip")
    try:
        changed = build(project_root(), words[0])
    except NotThisName as error:
        sys.exit(str(error))
    print("\n".join(f"  {path}" for path in changed))  # noqa: T201 - that is its answer


if __name__ == "__main__":
    main(sys.argv[1:])
