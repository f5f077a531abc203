"""Which ids are users': what tells a visitor's merge, which moves things, from that of two known customers. Pure.

An id is a user's from the first event on that its owner reads of it as a user's (``anonymous`` is false), up to its
erasure. Every service that keeps customers goes by this, so that all of them take a merge for the same thing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from tabiji_common.events import Erased, ErasureDone, Event, Merged
from tabiji_common.topics import customer_key

_SAY_NOTHING = (Merged, Erased, ErasureDone)
MOST_REMEMBERED = 100_000


def merges_itself(key: str, body: Any) -> bool:
    """Whether the record's customer is the one who is said to be somebody else."""
    return isinstance(body, Merged) and body.source != body.target and customer_key(body.workspace, body.source) == key


class Users:
    """What records say of their ids, read in order.

    ``before`` are keys of users when the reading begins; the others may be users or not where nobody asks.
    ``new`` are (key: p) found to be users, ``gone`` the erased ones, who come first where a key is in both.
    """

    def __init__(self, *before: Collection[str]) -> None:
        self._before = before
        self.new: dict[str, int] = {}
        self.gone: set[str] = set()

    def read(self, key: str, p: int, body: Any) -> Any:
        """Learn from one record; its body, ``known`` where it merges a user away."""
        if not isinstance(body, Event) or body.anonymous:
            return self._marked(key, body) if isinstance(body, Merged) else body
        if not isinstance(body, _SAY_NOTHING):
            if key not in self.new and not self._is_user(key):
                self.new[key] = p
        elif isinstance(body, Merged):
            return self._marked(key, body)
        elif isinstance(body, Erased):
            self.new.pop(key, None)
            self.gone.add(key)
        return body

    def _marked(self, key: str, body: Merged) -> Merged:
        if merges_itself(key, body) and not body.known and self._is_user(key):
            return msgspec.structs.replace(body, known=True)
        return body

    def _is_user(self, key: str) -> bool:
        return key in self.new or (key not in self.gone and any(key in known for known in self._before))


class Remembered:
    """Keys of users that the database is known to have, the latest ones; saves asking it again."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._keys: dict[str, None] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Any:
        return iter(self._keys)

    def committed(self, new: Iterable[str], gone: Iterable[str]) -> None:
        """These are written, and those are not there any more."""
        for key in gone:
            self._keys.pop(key, None)
        self._keys.update(dict.fromkeys(new))
        while len(self._keys) > self._most:
            del self._keys[next(iter(self._keys))]

    def clear(self) -> None:
        """Somebody else may have written."""
        self._keys.clear()
