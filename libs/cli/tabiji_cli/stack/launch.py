"""Run by path, before the real program: bind this process to its parent's life, drop root, exec.

A signal bound with PR_SET_PDEATHSIG is forgotten when the user changes, so both happen here, in
this order. Nothing but the standard library, and as little of that as possible: it runs often.
Arguments: signal, parent's process id, user id, group id (-1: stay who we are), program, …
"""

import os
import sys

PR_SET_PDEATHSIG = 1
CANNOT_LAUNCH = 126


def main() -> None:
    """Never returns: becomes the program, or exits."""
    on_parent_death, parent, user, group = (int(word) for word in sys.argv[1:5])
    program = sys.argv[5:]
    libc = None
    if sys.platform == "linux":
        # Only Linux has this call; and Python's own folder may be closed to that other user.
        import ctypes  # noqa: PLC0415

        libc = ctypes.CDLL(None)
    if user >= 0:
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, on_parent_death, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            sys.exit(CANNOT_LAUNCH)
    try:
        os.execv(program[0], program)  # noqa: S606 - becoming that program is the purpose
    except OSError as error:
        sys.stderr.write(f"cannot start {program[0]}: {error}\n")
        sys.exit(CANNOT_LAUNCH)


if __name__ == "__main__":
    main()
