"""``python -m tabiji_cli.scaffold [--remove] NAME``: write a service into this tree, or take it out again."""

from __future__ import annotations

import sys

from tabiji_cli.scaffold.build import NotThisName, build, remove
from tabiji_cli.stack.home import project_root

REMOVE = "--remove"


def main(words: list[str]) -> None:
    """Do it, and say what is there, or has changed, now."""
    names = [word for word in words if word != REMOVE]
    if len(names) != 1:
        sys.exit("one name: make new-service name=vip, make remove-service name=vip")
    left: list[str] = []
    try:
        if REMOVE in words:
            changed, left = remove(project_root(), names[0])
        else:
            changed = build(project_root(), names[0])
    except NotThisName as error:
        sys.exit(str(error))
    print("\n".join(f"  {path}" for path in changed))  # noqa: T201 - that is its answer
    if left:
        print(f"{names[0]} is still named in {', '.join(left)}: changed by hand since, so look there yourself")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
