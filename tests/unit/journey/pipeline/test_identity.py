"""Identities are UUIDv5, spelled out."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from tabiji_common.topics import NAMESPACE, derived_id


@given(st.lists(st.text(), max_size=5))
def test_a_derived_id_is_the_uuid5_of_its_parts(parts: list[str]) -> None:
    assert derived_id(*parts) == str(uuid.uuid5(NAMESPACE, "\x1f".join(parts)))
