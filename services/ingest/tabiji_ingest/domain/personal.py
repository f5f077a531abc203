"""Splitting what a client says of a person into plain traits and personal fields (RELIABILITY.md, "Personal data")."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from tabiji_ingest.domain.refusal import Kind, Refusal

_CANONICAL = {
    "email": "email emailaddress mail mailaddress",
    "phone": "phone phonenumber tel telephone mobile mobilephone",
    "first_name": "firstname givenname",
    "last_name": "lastname familyname surname",
    "name": "fullname customername",
    "address": "address streetaddress homeaddress",
    "shipping_address": "shippingaddress deliveryaddress",
    "billing_address": "billingaddress",
    "postal_code": "postalcode zipcode zip",
    "birthday": "birthday birthdate dateofbirth",
    "line_id": "lineid lineuserid",
}
PERSONAL = {spelling: field for field, spellings in _CANONICAL.items() for spelling in spellings.split()}
"""Spellings of the personal fields that we know, without case, underscores and hyphens."""


@lru_cache(maxsize=4096)
def plain_spelling(key: str) -> str:
    """``key`` without case, underscores, hyphens and spaces: camelCase and snake_case are one."""
    return key.replace("_", "").replace("-", "").replace(" ", "").casefold()


def split_traits(traits: dict[str, Any], plain: Collection[str], at: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(plain, personal): only traits whose spelling is in ``plain`` are plain; personal fields get the names we use."""
    open_traits: dict[str, Any] = {}
    personal: dict[str, Any] = {}
    for key, value in traits.items():
        spelling = plain_spelling(key)
        if spelling in plain and spelling not in PERSONAL:
            open_traits[key] = value
        else:
            _put(personal, key, PERSONAL.get(spelling, key), value, at)
    return open_traits, personal


def split_properties(values: dict[str, Any], at: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(properties, personal): the shop's own properties stay as they are, less the personal fields that we know."""
    if not any(plain_spelling(key) in PERSONAL for key in values):
        return values, {}
    rest: dict[str, Any] = {}
    personal: dict[str, Any] = {}
    for key, value in values.items():
        if (field := PERSONAL.get(plain_spelling(key))) is None:
            rest[key] = value
        else:
            _put(personal, key, field, value, at)
    return rest, personal


def _put(personal: dict[str, Any], key: str, field: str, value: Any, at: str) -> None:
    if field in {"email", "phone"} and value is not None and not isinstance(value, str):
        raise Refusal(f"{at}.{key}" if at else key, "must be a string", Kind.SHAPE)
    if key == field or field not in personal:
        personal[field] = value
