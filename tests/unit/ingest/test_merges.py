"""Anonymous becomes known: ``merged`` under both keys, with ids that a retry makes again."""

from typing import Any

import pytest

from tabiji_ingest.domain.refusal import Refusal
from tests.unit.ingest.support import records_of


def test_an_identify_with_both_ids_merges_the_visitor_into_the_user() -> None:
    identified, at_source, at_target = records_of("identify", userId="u-1", anonymousId="a-1", traits={"plan": "gold"})
    assert identified.type == "identified"
    assert identified.key == "demo:u-1"
    assert [at_source.key, at_target.key] == ["demo:a-1", "demo:u-1"]
    for record in (at_source, at_target):
        assert record.type == "merged"
        assert (record.body.source, record.body.target, record.body.known) == ("a-1", "u-1", False)
    assert at_source.body.anonymous is True
    assert at_target.body.anonymous is False


def test_a_retry_makes_the_same_ids() -> None:
    call: dict[str, Any] = {"userId": "u-1", "anonymousId": "a-1", "messageId": "m-9"}
    first, again = ([record.id for record in records_of("identify", **call)] for _ in range(2))
    assert first == again
    assert len(set(first)) == 3
    assert first[0] == "m-9"


def test_an_alias_merges_the_previous_id_into_the_user() -> None:
    records = records_of("alias", userId="u-1", previousId="a-1")
    assert [(record.type, record.key) for record in records] == [("merged", "demo:a-1"), ("merged", "demo:u-1")]


def test_an_alias_with_a_visitor_of_its_own_merges_both() -> None:
    records = records_of("alias", userId="u-1", previousId="a-1", anonymousId="a-2")
    assert [record.body.source for record in records] == ["a-1", "a-1", "a-2", "a-2"]
    assert len({record.id for record in records}) == 4


def test_an_alias_that_names_the_visitor_twice_merges_once() -> None:
    assert len(records_of("alias", userId="u-1", previousId="a-1", anonymousId="a-1")) == 2


def test_an_alias_without_a_previous_id_takes_the_visitor() -> None:
    assert {record.body.source for record in records_of("alias", userId="u-1", anonymousId="a-1")} == {"a-1"}


def test_an_address_as_previous_id_is_a_known_customer() -> None:
    records = records_of("alias", userId="u-1", previousId="person@example.com")
    assert all(record.body.known for record in records)
    assert not any("@" in record.key for record in records)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ({"previousId": "a-1"}, "userId"),
        ({"previousId": "a-1", "anonymousId": "a-2"}, "userId"),
        ({"userId": "u-1"}, "previousId"),
        ({"userId": "u-1", "previousId": "u-1"}, "previousId"),
        ({"userId": "u-1", "previousId": "guest"}, "previousId"),
        ({"userId": "0", "previousId": "a-1"}, "userId"),
    ],
)
def test_an_alias_that_joins_nothing_is_refused(call: dict[str, Any], field: str) -> None:
    with pytest.raises(Refusal) as refused:
        records_of("alias", **call)
    assert refused.value.field == field


def test_a_visitor_alone_is_identified_as_one() -> None:
    (record,) = records_of("identify", anonymousId="a-1", traits={"plan": "gold"})
    assert record.body.anonymous is True
    assert record.body.traits == {"plan": "gold"}
