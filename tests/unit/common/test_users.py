"""What makes an id a user's, and what a merge of it is then."""

from typing import Any

import pytest

from tabiji_common import commands, events
from tabiji_common.users import Remembered, Users, merges_itself

WHO: dict[str, Any] = {"workspace": "w", "customer": "ann"}
MERGE = events.Merged(**WHO, source="ann", target="bea")
SEEN = events.PageViewed(**WHO)


def is_known(*bodies: Any, before: set[str] | None = None) -> bool:
    users = Users(before or set())
    for body in bodies:
        users.read("w:ann", 0, body)
    return bool(users.read("w:ann", 0, MERGE).known)


@pytest.mark.parametrize("body", [SEEN, events.Identified(**WHO), events.EmailOpened(**WHO, message_key="m")])
def test_any_event_of_a_user_makes_its_id_a_users(body: Any) -> None:
    assert is_known(body)


@pytest.mark.parametrize(
    "body",
    [
        events.PageViewed(**WHO, anonymous=True),
        MERGE,
        events.Merged(**WHO, source="bea", target="ann"),
        events.ErasureDone(**WHO, service="journey"),
        commands.Exit(**WHO, journey="thanks"),
    ],
)
def test_what_a_visitor_does_and_what_services_say_do_not(body: Any) -> None:
    assert not is_known(body)


def test_what_is_remembered_counts_until_an_erasure() -> None:
    assert is_known(before={"w:ann"})
    assert not is_known(events.Erased(**WHO), before={"w:ann"})
    assert is_known(events.Erased(**WHO), SEEN, before={"w:ann"})


def test_what_comes_after_a_merge_does_not_make_it_another() -> None:
    users = Users()
    assert not users.read("w:ann", 3, MERGE).known
    users.read("w:ann", 3, SEEN)
    assert users.new == {"w:ann": 3}


def test_only_the_side_that_leaves_is_marked() -> None:
    users = Users({"w:bea", "w:ann"})
    body = events.Merged(workspace="w", customer="bea", source="ann", target="bea")
    assert users.read("w:bea", 0, body) is body
    assert not merges_itself("w:bea", body)


def test_the_memory_of_users_is_bounded_and_forgets_the_oldest() -> None:
    known = Remembered(most=2)
    known.committed(["a", "b", "c"], [])
    assert list(known) == ["b", "c"]
    known.committed([], ["b"])
    assert "b" not in known
    known.clear()
    assert len(known) == 0
