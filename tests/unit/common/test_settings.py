"""Settings come from the environment, have safe defaults, and say what is wrong with a value."""

import pytest
from pydantic import ValidationError

from tabiji_common.errors import Misconfigured
from tabiji_common.service import Service
from tabiji_common.settings import Settings


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TABIJI_{name.upper()}", raising=False)


def test_without_an_environment_everything_is_on_loopback_and_live() -> None:
    settings = Settings()
    assert (settings.host, settings.clock, settings.partitions) == ("127.0.0.1", "live", 12)
    assert "127.0.0.1" in settings.kafka_bootstrap
    assert "127.0.0.1" in settings.postgres_dsn
    assert not settings.test_hooks


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABIJI_PARTITIONS", "4")
    monkeypatch.setenv("TABIJI_CLOCK", "simulated")
    assert (Settings().partitions, Settings().clock) == (4, "simulated")


@pytest.mark.parametrize(("name", "value"), [("PARTITIONS", "0"), ("PARTITIONS", "many"), ("CLOCK", "fast")])
def test_a_bad_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"TABIJI_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


@pytest.mark.parametrize(("port", "admin", "expected"), [(8020, 0, 9020), (8020, 7, 7), (0, 0, 0)])
def test_the_admin_port_lies_a_thousand_above_unless_it_is_given(port: int, admin: int, expected: int) -> None:
    assert Settings(port=port, admin_port=admin).effective_admin_port == expected


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_test_hooks_may_be_open_on_loopback(host: str) -> None:
    Service("journey", Settings(host=host, test_hooks=True))._refuse_public_address()


def test_where_others_can_reach_it_a_service_has_no_test_hooks() -> None:
    Service("dispatch", Settings(host="0.0.0.0"))._refuse_public_address()  # noqa: S104 - the point
    with pytest.raises(Misconfigured, match="TABIJI_TEST_HOOKS"):
        Service("dispatch", Settings(host="0.0.0.0", test_hooks=True))._refuse_public_address()  # noqa: S104
