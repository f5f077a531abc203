"""The session cookie: the operator's key, encrypted and dated (Fernet: AES-128-CBC, HMAC-SHA-256); and forms' tokens.

Encrypted and not only signed, because the key opens the services themselves: whoever copies a cookie out of a browser's
disk or a proxy's log has a session of this console that ends, not the key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from cryptography.fernet import Fernet, InvalidToken


class Seal:
    """Closes and opens under one secret; an empty one is replaced by chance, for the life of the process."""

    def __init__(self, secret: str, seconds: float) -> None:
        root = secret.encode() or secrets.token_bytes(32)
        self._fernet = Fernet(base64.urlsafe_b64encode(_derived(root, b"console session")))
        self._forms = _derived(root, b"console forms")
        self.seconds = int(seconds)

    def close(self, text: str) -> str:
        """``text`` as a cookie's value."""
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """What was closed; empty where it is too old, broken or somebody else's."""
        try:
            return self._fernet.decrypt(sealed.encode(), ttl=self.seconds).decode()
        except (InvalidToken, UnicodeError):
            return ""

    def token(self, visitor: str) -> str:
        """What a form of this visitor's must bring along."""
        return hmac.new(self._forms, visitor.encode(), hashlib.sha256).hexdigest()

    def is_token(self, visitor: str, token: str) -> bool:
        """Whether a form was drawn for this visitor."""
        return bool(visitor) and hmac.compare_digest(self.token(visitor).encode(), token.encode())


def new_visitor() -> str:
    """An id that nobody guesses."""
    return secrets.token_urlsafe(24)


def _derived(root: bytes, purpose: bytes) -> bytes:
    return hmac.new(root, purpose, hashlib.sha256).digest()
