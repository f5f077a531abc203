"""``docs/settings.md``: every environment variable that a service or the command line reads."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tabiji_cli import services
from tabiji_cli.docs.markdown import code, page, table
from tabiji_common.settings import Settings

PREFIX = "TABIJI_"
OPENING = """
Services and the command line are set by environment variables, read once at start; a value that does not fit stops
the process and is named. `tabiji up` and `tabiji demo` pass on what is in the environment and set what the embedded
stack decides (broker, database, ports, secret) themselves.
""".strip()
HERE = {
    "TABIJI_HOME": (".tabiji in the project", "Folder of the embedded stack: data, keys, mails, logs"),
    "TABIJI_KAFKA_PORT": ("19092", "Port of the embedded Kafka"),
    "TABIJI_POSTGRES_PORT": ("15432", "Port of the embedded PostgreSQL"),
    "TABIJI_<SERVICE>_URL": ("as under tabiji up", "Where commands ask a service, if elsewhere"),
    "TABIJI_<SERVICE>_ADMIN_URL": (
        "1000 above that",
        "Where `tabiji doctor` finds a service's health, if elsewhere",
    ),
    "TABIJI_OPERATOR_KEY": ("as under tabiji up", "Operator key that commands show to the services"),
}
TESTS = {
    "TABIJI_FAILPOINTS": "Failpoints that are armed at start, as `name=action@hit;…`; `tabiji failpoints` lists them",
    "TABIJI_FAILPOINT_LOG": "File to which a process writes which failpoints it hit",
}


def settings_page() -> str:
    """The page."""
    parts = ["## Every service", _settings(Settings, BaseModel)]
    for service in services.PROCESSES:
        for found in _classes(service):
            parts += [f"## {service}", _settings(found, Settings)]
            for model in _nested(found):
                told = f"One object of the JSON list `{PREFIX}{_holder(found, model).upper()}`:"
                parts += [told, _table(_rows(model, "", model.model_fields))]
    return page("Settings", OPENING, *parts, "## The command line", _command_line(), "## Tests", _tests())


def _settings(found: type[BaseModel], base: type[BaseModel]) -> str:
    """What ``found`` declares itself, beyond or in place of ``base``."""
    own = {
        name: field
        for name, field in found.model_fields.items()
        if name not in base.model_fields or _told(base.model_fields[name]) != _told(field)
    }
    return _table(_rows(found, PREFIX, own))


def _told(field: FieldInfo) -> tuple[Any, ...]:
    return field.default, field.description


def _rows(model: type[BaseModel], prefix: str, fields: dict[str, FieldInfo]) -> Iterator[tuple[str, str, str]]:
    for name, field in fields.items():
        shown = prefix + name.upper() if prefix else name
        if not field.description:
            raise LookupError(f"{model.__name__}.{name} says nothing of itself")
        yield code(shown), _default(field), field.description


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value in ("", []):
        return "empty"
    if isinstance(value, PurePath):
        return code(value.as_posix())
    return code(str(value).lower() if isinstance(value, bool) else str(value))


def _table(rows: Iterator[tuple[str, str, str]]) -> str:
    return table(["variable", "default", "meaning"], rows)


def _classes(service: str) -> list[type[Settings]]:
    """The settings classes that a service's ``settings`` module declares; none where it has no such module."""
    name = f"tabiji_{service}.settings"
    if importlib.util.find_spec(name) is None:
        return []
    module = importlib.import_module(name)
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Settings) and value.__module__ == name
    ]


def _nested(found: type[BaseModel]) -> list[type[BaseModel]]:
    """Models that settings are lists of."""
    arguments = [one for field in found.model_fields.values() for one in getattr(field.annotation, "__args__", ())]
    return [one for one in arguments if isinstance(one, type) and issubclass(one, BaseModel)]


def _holder(found: type[BaseModel], model: type[BaseModel]) -> str:
    fields = found.model_fields.items()
    return next(name for name, field in fields if model in getattr(field.annotation, "__args__", ()))


def _command_line() -> str:
    from tabiji_cli.__main__ import app  # noqa: PLC0415 - the command line imports this package when it is asked to
    from tabiji_cli.processes import Ports, setting  # noqa: PLC0415

    ports = {setting(name): (str(port), _port(name)) for name, port in vars(Ports()).items()}
    options = dict(_options(typer.main.get_command(app), "tabiji"))
    rows = {**HERE, **ports, **options}
    return _table((code(name), code(default) if default else "empty", text) for name, (default, text) in rows.items())


def _port(name: str) -> str:
    above = "; its admin port is 1000 above" if name in services.PROCESSES else ""
    return f"Port of {name} under `tabiji up` and `tabiji demo`{above}"


def _options(command: Any, path: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """The variables that options of commands are read from."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from _options(inner, f"{path} {name}")
    for option in command.params:
        for variable in [option.envvar] if isinstance(option.envvar, str) else option.envvar or ():
            yield variable, ("", f"`{path} {option.opts[0]}`: {option.help}")


def _tests() -> str:
    rows = ((code(name), "empty", text) for name, text in TESTS.items())
    return f"Read by every service, and meant for tests only.\n\n{_table(rows)}"
