"""A journey of one letter, for the tests of how an enrollment moves."""

from __future__ import annotations

from typing import Any

from tests.unit.journey.domain.road import Road

LETTER = """
id: letter
holdout: {holdout}
enter: {{on: hello, reenter: after_end}}
exit: [{{on: goodbye, as: left}}]
goal: {{on: bought, within: 10d}}
start: mail
states:
  mail:
    send: {{channel: email, template: letter}}
    next: opened
    on_suppressed: quiet
    on_failed: broken
    on_unknown: lost
  opened: {{wait: {{for: email_opened, of: mail, timeout: 3d}}, then: read, on_timeout: unread}}
  read: {{end: true}}
  unread: {{end: true}}
  quiet: {{end: true}}
  broken: {{end: true}}
  lost: {{end: true}}
"""
MAIL = LETTER.format(holdout="0%")


def sent_out(**settings: Any) -> Road:
    road = Road(MAIL, outcome=None, **settings)
    road.event("hello")
    return road
