"""Personal fields travel under ``pii`` and nowhere else."""

from typing import Any

import pytest

from tabiji_common.topics import CUSTOMERS
from tabiji_ingest.domain.refusal import Refusal
from tabiji_ingest.settings import IngestSettings
from tests.unit.ingest.support import records_of, track


def identified(traits: dict[str, Any], **event: Any) -> Any:
    return records_of("identify", userId="u-1", traits=traits, **event)[0].body


def test_only_traits_that_settings_list_are_plain() -> None:
    body = identified({"plan": "gold", "createdAt": "2026", "hobby": "tea", "name": "山田 太郎", "company": {"id": 1}})
    assert body.traits == {"plan": "gold", "createdAt": "2026"}
    assert body.pii == {"hobby": "tea", "name": "山田 太郎", "company": {"id": 1}}


@pytest.mark.parametrize(
    ("spelling", "field"),
    [
        ("email", "email"), ("E-Mail", "email"), ("mail", "email"), ("phoneNumber", "phone"), ("mobile", "phone"),
        ("firstName", "first_name"), ("last_name", "last_name"), ("lineUserId", "line_id"), ("birthDate", "birthday"),
        ("address", "address"),
    ],
)  # fmt: skip
def test_personal_fields_get_the_names_that_we_use(spelling: str, field: str) -> None:
    assert identified({spelling: "x"}).pii == {field: "x"}
    assert track("Signed Up", {spelling: "x", "coupon": "y"}).body.pii == {field: "x"}
    assert track("Signed Up", {spelling: "x", "coupon": "y"}).body.properties == {"coupon": "y"}


def test_our_own_spelling_goes_before_another() -> None:
    assert identified({"mail": "old@example.com", "email": "new@example.com"}).pii == {"email": "new@example.com"}
    assert identified({"email": "new@example.com", "mail": "old@example.com"}).pii == {"email": "new@example.com"}


def test_a_personal_field_cannot_be_listed_as_plain() -> None:
    rules = IngestSettings(workspace_secret="s", plain_traits="email,plan").rules()
    (record,) = records_of("identify", rules, userId="u-1", traits={"email": "t@example.com", "plan": "x"})
    assert record.body.traits == {"plan": "x"}


def test_traits_in_the_context_are_read_for_sdks_that_put_them_there() -> None:
    body = identified({"plan": "gold"}, context={"traits": {"email": "t@example.com", "plan": "old"}})
    assert (body.traits, body.pii) == ({"plan": "gold"}, {"email": "t@example.com"})


def test_an_address_that_is_no_text_is_refused_and_null_takes_it_away() -> None:
    with pytest.raises(Refusal) as refused:
        identified({"email": 5})
    assert refused.value.field == "traits.email"
    assert identified({"email": None}).pii == {"email": None}


def test_the_name_of_a_product_is_not_personal() -> None:
    assert track("Product Viewed", {"name": "抹茶"}).body.properties == {"name": "抹茶"}


def test_no_header_or_key_holds_a_personal_field() -> None:
    secrets = {"email": "taro@example.com", "phone": "090-1234-5678", "name": "山田", "address": {"city": "Kyoto"}}
    records = records_of("identify", userId="taro@example.com", anonymousId="a-1", traits=secrets)
    for record in records:
        outside = record.key + str(record.headers())
        assert "taro" not in outside
        assert "090" not in outside
    assert CUSTOMERS.decode("identified", records[0].value()).pii == secrets
