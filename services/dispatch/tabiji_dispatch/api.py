"""Operators' HTTP: deliveries and attempts, unknown messages to settle, kill switches, suppression, restore mode."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, Field

from tabiji_common.clock import Clock
from tabiji_common.commands import Settle
from tabiji_common.guard import tell, who
from tabiji_common.topics import DISPATCH_COMMANDS, Record, derived_id
from tabiji_common.web import Refused, install_errors
from tabiji_dispatch.adapters.postgres_customers import PostgresCustomers
from tabiji_dispatch.adapters.postgres_desk import PostgresDesk, Row
from tabiji_dispatch.adapters.restore import RestoreWatch
from tabiji_dispatch.domain.ledger import Move, State, after
from tabiji_dispatch.domain.register import SOURCE

LOOKS, LOOK_EVERY = 20, 0.05
"""How often, and every how many seconds, the answer to a settle looks whether the ledger has followed."""

Append = Callable[[Sequence[Record[Any]]], Awaitable[None]]
Limit = Annotated[int, Query(ge=1, le=1000)]
Text = Annotated[str, Field(min_length=1, max_length=200)]


class SettleRequest(BaseModel):
    outcome: Literal["sent", "failed", "resend"]
    by: Text | None = None


_NAMED: dict[str, tuple[set[str], str]] = {
    "global": (set(), "nothing more"),
    "workspace": ({"workspace"}, "its workspace alone"),
    "journey": ({"workspace", "name"}, "its workspace and its name"),
    "provider": ({"name"}, "its name alone"),
}
"""Scope → the parts of a switch's name, and these in words."""


class SwitchRequest(BaseModel):
    scope: Literal["global", "workspace", "journey", "provider"]
    workspace: str = ""
    name: str = ""
    on: bool
    reason: str = ""
    by: Text | None = None

    def key(self) -> dict[str, str]:
        """The switch's identity; raises ``Refused`` where the scope asks for more or less."""
        wanted, words = _NAMED[self.scope]
        given = {part for part, value in (("workspace", self.workspace), ("name", self.name)) if value}
        if given != wanted:
            raise Refused(422, f"a {self.scope} switch is named by {words}", "scope")
        return {"scope": self.scope, "workspace": self.workspace, "name": self.name}


class SuppressRequest(BaseModel):
    workspace: Text
    channel: Text
    address: Text
    scope: Literal["all", "marketing"] = "all"
    reason: Text = "operator"


class BrakeRequest(BaseModel):
    kind: Literal["repeat", "volume"]
    workspace: Text
    name: str = ""
    by: Text | None = None


class ByRequest(BaseModel):
    by: Text | None = None


def build_app(
    desk: PostgresDesk,
    restore: RestoreWatch,
    append: Append,
    clock: Clock,
    wake: Callable[[], None],
    customers: PostgresCustomers,
) -> FastAPI:
    """The service's API. Nothing in it shows an address, a name or a message's text, but for a message's preview."""
    app = FastAPI(title="Tabiji dispatch", version="1", docs_url=None, redoc_url=None)
    install_errors(app)
    _deliveries(app, desk)
    _customers(app, customers)
    _unknown(app, desk, append, clock)
    _switches(app, desk, clock, wake)
    _suppressions(app, desk, clock)
    _brakes(app, desk, clock, wake)
    _restore(app, desk, restore, clock, wake)
    return app


def _deliveries(app: FastAPI, desk: PostgresDesk) -> None:
    @app.get("/v1/deliveries")
    async def deliveries(
        workspace: str | None = None,
        customer: str | None = None,
        state: State | None = None,
        journey: str | None = None,
        limit: Limit = 100,
        before: int | None = None,
    ) -> list[Row]:
        """Newest first; page with ``before`` = the last ``seq``."""
        filters = {"workspace": workspace, "customer": customer, "state": state, "journey": journey}
        return await desk.deliveries(filters, limit, before)

    @app.get("/v1/deliveries/{key}")
    async def one(key: str) -> Row:
        """A delivery with its attempts."""
        return await _found(desk, key)

    @app.get("/v1/counts")
    async def counts(workspace: str | None = None) -> list[Row]:
        """Messages by journey, sending state, channel, state and reason."""
        return await desk.counts(workspace)


def _customers(app: FastAPI, customers: PostgresCustomers) -> None:
    @app.get("/v1/deliveries/{key}/preview")
    async def preview(key: str) -> Row:
        """How the message reads, without live links; ``frozen`` where it is what goes out, else filled in again."""
        row = await customers.preview(key)
        if row is None:
            raise Refused(404, "no such message", "key")
        return row

    @app.get("/v1/customers/{workspace}/{customer:path}/contact")
    async def contact(workspace: str, customer: str) -> Row:
        """Consents, the channels that have an address, and where it is suppressed; no address is shown."""
        return await customers.contact(workspace, customer)


def _unknown(app: FastAPI, desk: PostgresDesk, append: Append, clock: Clock) -> None:
    @app.get("/v1/unknown")
    async def unknown(workspace: str | None = None, limit: Limit = 100) -> list[Row]:
        """Messages that a person may settle."""
        return await desk.unknown(workspace, limit)

    @app.post("/v1/unknown/{key}", status_code=202)
    async def settle(key: str, asked: SettleRequest, request: Request) -> dict[str, str]:
        """Say what became of it, once: the same again is answered the same, another word is refused.

        Goes through the customer's own order; the ledger follows in a moment, for which this waits a little.
        """
        row = await desk.standing(key)
        if row is None:
            raise Refused(404, "no such message", "key")
        if after(State(row["state"]), Move.TELL_SENT) is None:
            return _decided(row, asked.outcome)
        now = clock.now()
        body = Settle(
            workspace=row["workspace"],
            customer=row["customer"],
            message_key=key,
            outcome=asked.outcome,
            by=who(request, asked.by),
        )
        tell(request, asked.outcome)
        # What was said before is a part of it: a message that is unknown once more may be settled once more.
        id_ = derived_id(key, "settle", str(row["token"]), row["state"], row["told_by"], asked.outcome)
        await append([DISPATCH_COMMANDS.record(body, id=id_, source=SOURCE, occurred_at=now, accepted_at=now)])
        for _ in range(LOOKS):
            new = await desk.standing(key)
            if new and new["told_by"] != row["told_by"]:
                return _decided(new, asked.outcome)
            await asyncio.sleep(LOOK_EVERY)
        return {"command": id_}


def _decided(row: Row, outcome: str) -> dict[str, str]:
    """The answer where a person has spoken already; raises ``Refused`` where that was something else, or nobody has."""
    said, _, command = row["told_by"].partition(" ")
    if not command:
        raise Refused(409, f"a {row['state']} message cannot be settled", "state")
    if said != outcome:
        raise Refused(409, f"it was settled as {said} before, and is {row['state']} now", "outcome")
    return {"command": command}


def _switches(app: FastAPI, desk: PostgresDesk, clock: Clock, wake: Callable[[], None]) -> None:
    @app.get("/v1/switches")
    async def switches() -> list[Row]:
        """The kill switches that are on."""
        return await desk.switches()

    @app.get("/v1/quotas")
    async def quotas() -> list[Row]:
        """Messages counted by provider with a quota and calendar month (Asia/Tokyo)."""
        return await desk.quotas()

    @app.put("/v1/switches")
    async def switch(asked: SwitchRequest, request: Request) -> list[Row]:
        """Stop (``on``) or let go. What has an intent already is not recalled."""
        key = asked.key()
        row = {**key, "reason": asked.reason, "set_by": who(request, asked.by), "at": clock.now()}
        tell(request, " ".join(filter(None, (*key.values(), "on" if asked.on else "off"))))
        await desk.switch(row, on=asked.on)
        wake()
        return await desk.switches()


def _suppressions(app: FastAPI, desk: PostgresDesk, clock: Clock) -> None:
    @app.get("/v1/suppressions")
    async def suppressions(workspace: str | None = None, limit: Limit = 100) -> list[Row]:
        """The suppression list, as keyed hashes."""
        return await desk.suppressions(workspace, limit)

    @app.post("/v1/suppressions", status_code=201)
    async def suppress(request: SuppressRequest) -> dict[str, str]:
        """Leave an address alone."""
        at = clock.now()
        await desk.suppress(request.workspace, request.channel, request.address, request.scope, request.reason, at)
        return {"state": "suppressed"}

    @app.delete("/v1/suppressions")
    async def unsuppress(request: SuppressRequest) -> dict[str, int]:
        """Take an address off the list."""
        return {"removed": await desk.unsuppress(request.workspace, request.channel, request.address)}


def _brakes(app: FastAPI, desk: PostgresDesk, clock: Clock, wake: Callable[[], None]) -> None:
    @app.get("/v1/brakes")
    async def brakes() -> list[Row]:
        """Sends that were too many to be meant: those without ``released_at`` are held."""
        return await desk.brakes()

    @app.post("/v1/brakes/release")
    async def release(asked: BrakeRequest, request: Request) -> dict[str, bool]:
        """They are meant: let them go, and all the like for an hour."""
        key = {"kind": asked.kind, "workspace": asked.workspace, "name": asked.name}
        tell(request, " ".join(filter(None, key.values())))
        released = await desk.release_brake(key, who(request, asked.by), clock.now())
        wake()
        return {"released": released}


def _restore(app: FastAPI, desk: PostgresDesk, watch: RestoreWatch, clock: Clock, wake: Callable[[], None]) -> None:
    @app.get("/v1/restore")
    async def restore() -> Row:
        """Whether every send is held because the database was restored or cloned."""
        return await desk.restore()

    @app.post("/v1/restore/release")
    async def release(asked: ByRequest, request: Request) -> dict[str, bool]:
        """Let sends go on, on this database as it is now."""
        released = await watch.release(who(request, asked.by))
        wake()
        return {"released": released}

    @app.put("/v1/clusters/{cluster}")
    async def accept(cluster: str, asked: ByRequest, request: Request) -> dict[str, str]:
        """Let go of sends that were decided on another Kafka cluster."""
        await desk.accept_cluster(cluster, who(request, asked.by), clock.now())
        wake()
        return {"cluster": cluster}


async def _found(desk: PostgresDesk, key: str) -> Row:
    row = await desk.delivery(key)
    if row is None:
        raise Refused(404, "no such message", "key")
    return row
