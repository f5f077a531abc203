"""A LINE message out of a template: one text, or message objects in which every string is a template of its own.

Limits by LINE's reference: at most five message objects, and 5,000 UTF-16 code units in a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from liquid.template import BoundTemplate

MOST_MESSAGES, MOST_TEXT = 5, 5_000
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")


def compile_line(parts: Mapping[str, str], compile_text: Callable[[str], BoundTemplate]) -> Any:
    """``body.line.json`` or ``body.line.txt`` as message objects with compiled strings; ``None`` where there is none.

    Values are filled into strings that JSON has ended already, so none can add a field. Raises ``ValueError``.
    """
    if "body.line.json" in parts:
        objects = json.loads(parts["body.line.json"])
        if not isinstance(objects, list):
            raise ValueError("body.line.json must be a list of message objects")
        return _compiled(objects, compile_text)
    if "body.line.txt" in parts:
        return text_message(compile_text(parts["body.line.txt"]))
    return None


def text_message(text: BoundTemplate) -> Any:
    """One text as the only message."""
    return [{"type": "text", "text": text}]


def fill(messages: Any, values: Mapping[str, Any]) -> str:
    """The message objects as JSON; raises ``ValueError`` beyond LINE's limits."""
    filled = _filled(messages, values)
    if not 1 <= len(filled) <= MOST_MESSAGES:
        raise ValueError(f"{len(filled)} message objects")
    for one in filled:
        if not isinstance(one, dict) or not isinstance(one.get("type"), str):
            raise ValueError("a message object without a type")  # noqa: TRY004 - the template's fault like the others
        if one["type"] in {"text", "textV2"} and not 1 <= code_units(one.get("text", "")) <= MOST_TEXT:
            raise ValueError("a text that is empty or too long")
    return json.dumps(filled, ensure_ascii=False, separators=(",", ":"))


def code_units(text: str) -> int:
    """How LINE counts a text's length."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _compiled(node: Any, compile_text: Callable[[str], BoundTemplate]) -> Any:
    if isinstance(node, str):
        return compile_text(node)
    if isinstance(node, dict):
        return {name: _compiled(item, compile_text) for name, item in node.items()}
    if isinstance(node, list):
        return [_compiled(item, compile_text) for item in node]
    return node


def _filled(node: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(node, BoundTemplate):
        return _CONTROLS.sub("", node.render(values).replace("\r\n", "\n")).strip()
    if isinstance(node, dict):
        return {name: _filled(item, values) for name, item in node.items()}
    if isinstance(node, list):
        return [_filled(item, values) for item in node]
    return node
