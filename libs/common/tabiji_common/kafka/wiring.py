"""Which events a handler takes, by the annotation of its first parameter; a pair that can never meet is refused."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Awaitable, Callable
from typing import Any

from tabiji_common.topics import Record, Topic

Handler = Callable[[Any], Awaitable[list[Record[Any]]]]


class Takes:
    """Tells by ``ce_type`` alone whether ``handler`` takes a record of ``topic``, so that others are never decoded.

    Raises ``TypeError`` where the handler asks for a type that the topic does not hold.
    """

    def __init__(self, topic: Topic[Any], handler: Handler) -> None:
        self.topic = topic
        self.wanted = _annotated(handler)
        held = [*topic.types.values(), *([topic.fallback] if topic.fallback else [])]
        strangers = [kind for kind in self.wanted if not any(issubclass(payload, kind) for payload in held)]
        if strangers:
            names = ", ".join(kind.__name__ for kind in strangers)
            raise TypeError(
                f"{topic.name} holds no {names}: {getattr(handler, '__qualname__', handler)} would never be called"
            )

    def __call__(self, type_: str) -> bool:
        """Whether to decode a record of this type; one that the topic does not know is decoded, and refused there."""
        payload = self.topic.types.get(type_, self.topic.fallback)
        return payload is None or issubclass(payload, self.wanted)


def _annotated(handler: Handler) -> tuple[type, ...]:
    first = next(iter(inspect.signature(handler, eval_str=True).parameters.values()))
    hint = object if first.annotation in (inspect.Parameter.empty, Any) else first.annotation
    hints = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    return tuple(kind for kind in hints if isinstance(kind, type)) or (object,)
