"""What the admin port tells of a process."""

from __future__ import annotations

from tabiji_common.admin import version_of


def test_a_service_says_its_version_and_what_it_was_built_from() -> None:
    assert version_of("journey").count(".") == 2
    assert version_of("journey", "4f2c1e9") == version_of("journey") + "+4f2c1e9"
    assert (version_of("no-such-service"), version_of("no-such-service", "4f2c1e9")) == ("", "4f2c1e9")
