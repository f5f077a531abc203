"""The lists that a service stands in: it goes in, and comes out and takes nothing of another's name with it."""

import pytest

from tabiji_cli.scaffold.lists import within
from tabiji_cli.scaffold.texts import Names

VIP, VIP2 = Names.of("vip", 8050), Names.of("vip2", 8051)


@pytest.mark.parametrize("first", [VIP, VIP2])
def test_a_service_goes_out_of_a_line_and_leaves_one_whose_name_begins_like_its_own(first: Names) -> None:
    rule = within(r"(?<=\w(, ))(analytics)(?=[,\]])")
    text = "values: [ingest, analytics]\n"
    second = VIP2 if first is VIP else VIP
    both = rule.added(rule.added(text, first), second)
    assert rule.removed(rule.removed(both, VIP), VIP2) == text
    assert rule.removed(both, VIP) == rule.added(text, VIP2)
