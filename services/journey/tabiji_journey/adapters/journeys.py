"""Published journeys in PostgreSQL: read at the start of every batch, compiled once."""

from __future__ import annotations

from collections.abc import Mapping

from tabiji_common.logs import logger
from tabiji_common.postgres import Connection
from tabiji_journey.domain.catalog import Catalog, Running
from tabiji_journey.domain.definition import Definition
from tabiji_journey.domain.loader import DefinitionError, Shop, load

_STATES = "SELECT workspace, journey, number, version, paused FROM journey_state ORDER BY workspace, journey"
_VERSIONS = """
SELECT v.workspace, v.journey, v.version, v.file, v.source FROM journey_version v
JOIN unnest($1::text[], $2::text[], $3::int[]) AS known(workspace, journey, version)
  ON known.workspace = v.workspace AND known.journey = v.journey AND v.version > known.version
ORDER BY v.workspace, v.journey, v.version
"""

_State = tuple[str, str, int, int, str | None]

log = logger(__name__)


class PublishedJourneys:
    """One process's view of the published journeys; a version is read once, for it never changes."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._states: list[_State] = []
        self._catalogs: dict[str, Catalog] = {}
        self._newest: dict[tuple[str, str], int] = {}
        self._versions: dict[str, dict[tuple[str, int], Definition]] = {}
        self._unreadable: dict[str, set[tuple[str, int]]] = {}

    async def catalogs(self, tx: Connection) -> Mapping[str, Catalog]:
        """By workspace, the journeys as they stand at this moment; the same objects while nothing changes."""
        states: list[_State] = [tuple(row) for row in await tx.fetch(_STATES)]
        if states != self._states:
            await self._read_versions(tx, states)
            self._catalogs = self._compose(states)
            self._states = states
        return self._catalogs

    async def _read_versions(self, tx: Connection, states: list[_State]) -> None:
        workspaces = [state[0] for state in states]
        journeys = [state[1] for state in states]
        newest = [self._newest.get((state[0], state[1]), 0) for state in states]
        for row in await tx.fetch(_VERSIONS, workspaces, journeys, newest):
            workspace, journey, version = row["workspace"], row["journey"], row["version"]
            self._newest[workspace, journey] = version
            try:
                definition = load(row["source"], version=version, file=row["file"], shop=self._shop)
            except DefinitionError as error:
                # Its people wait until code that can read it comes back; the others go on.
                log.error("journey_unreadable", journey=journey, version=version, problems=str(error))  # noqa: TRY400
                self._unreadable.setdefault(workspace, set()).add((journey, version))
                continue
            self._versions.setdefault(workspace, {})[journey, version] = definition

    def _compose(self, states: list[_State]) -> dict[str, Catalog]:
        journeys: dict[str, dict[str, Running]] = {}
        for workspace, journey, number, version, paused in states:
            versions = self._versions.get(workspace, {})
            readable = [one for name, one in versions if name == journey and one <= version]
            if readable:
                newest = max(readable)
                why = paused or ("" if newest == version else "unreadable")
                journeys.setdefault(workspace, {})[journey] = Running(versions[journey, newest], number, why)
        return {
            workspace: Catalog(
                running, dict(self._versions.get(workspace, {})), frozenset(self._unreadable.get(workspace, ()))
            )
            for workspace, running in journeys.items()
        }
