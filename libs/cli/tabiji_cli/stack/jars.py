"""Apache Kafka's jars: fetched by jgo, each one checked against deploy/local/jgo.lock.toml.

`python -m tabiji_cli.stack.jars` fetches what is missing and counts aloud, in one line.
"""

import hashlib
import os
import sys
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tabiji_cli.stack.errors import JarMismatch, StackError
from tabiji_cli.stack.home import HomeLock, cache_folder, project_root

ATTEMPTS = 3


@dataclass(frozen=True)
class Jar:
    """One locked jar: its coordinates and the hash of its bytes."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def locked_jars() -> list[Jar]:
    """The jars that make this Kafka."""
    lock = tomllib.loads((project_root() / "deploy" / "local" / "jgo.lock.toml").read_text("utf-8"))
    return [Jar(row["groupId"], row["artifactId"], row["version"], row["sha256"]) for row in lock["dependencies"]]


def kafka_jars(cache: Path | None = None, tell: Callable[[int], None] | None = None) -> Path:
    """The folder that holds exactly the locked jars, fetched now if it is not there yet.

    A complete folder is recognised by its name (a digest of the lock), so a warm call costs one
    stat. `tell` hears a few times how many have arrived. Raises JarMismatch or StackError.
    """
    cache = cache or cache_folder()
    jars = locked_jars()
    digest = hashlib.sha256("\n".join(sorted(jar.sha256 for jar in jars)).encode()).hexdigest()[:12]
    folder = cache / f"kafka-{digest}"
    if folder.is_dir():
        return folder
    with HomeLock(cache / "lock"):
        if not folder.is_dir():
            _gather(jars, cache / "m2", folder, tell or (lambda _count: None))
    return folder


def _gather(jars: list[Jar], repository: Path, folder: Path, tell: Callable[[int], None]) -> None:
    draft = folder.with_name(f"{folder.name}.new")
    draft.mkdir(parents=True, exist_ok=True)
    for count, (jar, path) in enumerate(_fetched(jars, repository), start=1):
        target = draft / jar.file_name
        target.unlink(missing_ok=True)
        os.link(path, target)
        if count % 11 == 0 or count == len(jars):
            tell(count)
    draft.rename(folder)


def _fetched(jars: list[Jar], repository: Path) -> Iterator[tuple[Jar, Path]]:
    # Few at a time: the repository is a shared one, and the connection is the limit anyway.
    with ThreadPoolExecutor(max_workers=4, thread_name_prefix="jars") as pool:
        yield from zip(jars, pool.map(lambda jar: _fetch(jar, repository), jars), strict=True)


def _fetch(jar: Jar, repository: Path) -> Path:
    # Imported here: jgo brings an HTTP client, which a warm start has no use for.
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415
    from requests import RequestException  # noqa: PLC0415

    context = MavenContext(repo_cache=repository, resolver=PythonResolver(), timeout=60)
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    failure: Exception | None = None
    for _attempt in range(ATTEMPTS):
        try:
            path = artifact.resolve()
        except (RequestException, RuntimeError, OSError) as error:
            failure = error
            continue
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found == jar.sha256:
            return path
        # A download that was cut short leaves a file that looks cached: fetch that one again.
        path.unlink()
        failure = JarMismatch(f"{jar.file_name} has hash {found}, the lock names {jar.sha256}")
    if isinstance(failure, JarMismatch):
        raise failure
    raise StackError(f"could not fetch {jar.file_name}: {failure}") from failure


def main() -> int:
    """Fetch what is missing; 0 when all jars are there."""

    def tell(count: int) -> None:
        sys.stdout.write(f"{count} jars … ")
        sys.stdout.flush()

    try:
        kafka_jars(tell=tell)
    except StackError as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
