"""The lists that a service stands in: it goes in, and comes out and takes nothing of another's name with it."""

import pytest

from tabiji_cli.scaffold.lists import LISTS, within
from tabiji_cli.scaffold.texts import Names
from tabiji_cli.stack.home import project_root

VIP, VIP2 = Names.of("vip", 8050), Names.of("vip2", 8051)


@pytest.mark.parametrize("first", [VIP, VIP2])
def test_a_service_goes_out_of_a_line_and_leaves_one_whose_name_begins_like_its_own(first: Names) -> None:
    rule = within(r"(?<=\w(, ))(analytics)(?=[,\]])")
    text = "values: [ingest, analytics]\n"
    second = VIP2 if first is VIP else VIP
    both = rule.added(rule.added(text, first), second)
    assert rule.removed(rule.removed(both, VIP), VIP2) == text
    assert rule.removed(both, VIP) == rule.added(text, VIP2)


@pytest.mark.parametrize("path", LISTS)
def test_a_service_goes_out_of_every_list_of_this_tree(path: str) -> None:
    before = text = (project_root() / path).read_text("utf-8")
    for rule in LISTS[path]:
        text = rule.added(text, VIP)
    assert text != before
    for rule in LISTS[path]:
        text = rule.removed(text, VIP)
    assert text == before
