"""What libraries say: the same thing once a minute."""

import logging

from tabiji_common.logs import MOST_SAID, Seldom


def said(text: str, at: float) -> logging.LogRecord:
    record = logging.LogRecord("aiokafka.cluster", logging.ERROR, "", 0, text, None, None)
    record.created = at
    return record


def test_the_same_line_again_is_news_after_a_minute() -> None:
    seldom = Seldom()
    heard = [at for at in range(0, 130, 2) if seldom.filter(said("Topic x not found", 1000.0 + at))]
    assert heard == [0, 60, 120]


def test_another_line_is_news_at_once_and_what_is_remembered_is_bounded() -> None:
    seldom = Seldom()
    assert all(seldom.filter(said(f"line {n}", 1000.0)) for n in range(5 * MOST_SAID))
    assert len(seldom.said) <= MOST_SAID
