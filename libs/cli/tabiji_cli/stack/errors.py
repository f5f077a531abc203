"""What can go wrong with the embedded stack, said so that a person can act on it."""


class StackError(RuntimeError):
    """The embedded stack could not do what it was asked; the message says why and what to do."""


class PortTaken(StackError):
    """Another program listens on a port that the stack needs; names it, where it can be seen, and the setting."""

    def __init__(self, port: int, setting: str, holder: str = "") -> None:
        super().__init__(
            f"port {port} on 127.0.0.1 is taken by {holder or 'another program'}; "
            f"stop that one, or choose another port with {setting}"
        )
        self.port = port
        self.setting = setting


class HomeInUse(StackError):
    """Another living process runs this home; two cannot share one folder of data."""


class JarMismatch(StackError):
    """A fetched jar is not the one that the lock file names."""
