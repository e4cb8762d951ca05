"""Would the web server's user get 403? A walk along each path, component by component."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Access

# The accounts under which distributions run web servers.
SERVER_ACCOUNTS = ("www-data", "apache", "http", "nobody")

# As many as Linux itself follows (path_resolution(7)).
_MOST_LINKS = 40


@dataclass(frozen=True)
class Denied:
    """A needed path, and the component of it at which ``user`` stops."""

    access: Access
    component: Path
    problem: str
    user: str = ""

    def __str__(self) -> str:
        return f"{self.access.path} ({self.access.why}): {self.problem} {self.component}"


def server_account(named: str = "") -> str | None:
    """The user to check for: the one named, or the first usual one that exists here."""
    candidates = (named,) if named else SERVER_ACCOUNTS
    return next((name for name in candidates if _exists(pwd.getpwnam, name)), None)


def kept_files(plan: Plan) -> Iterator[Access]:
    """What the application writes besides: an SQLite database that somebody has made already, and
    where settings put logs and uploads on their way. Without, no page of Django's is answered."""
    for site in plan.sites:
        for path in filter(os.path.exists, site.databases):
            yield Access(path, "the SQLite database", write=True)
        for setting, path in site.writes:
            yield Access(path, setting, write=True)


def obstacles(plan: Plan, needed: Iterable[Access], user: str, front: str | None) -> list[Denied]:
    """Everything in ``needed`` that the application cannot reach, as ``user`` in the group that
    was chosen for it; and what of it the web server, as ``front``, has to send and cannot reach,
    unless that has been said already."""
    wanted, group = list(needed), plan.deployment.group
    found = denied(wanted, user, group)
    if front is None or (front, "") == (user, group):
        return found
    sent, said = set(_sent_by_front(plan)), {str(one) for one in found}
    read = [replace(one, write=False) for one in wanted if one.path in sent]
    return [*found, *(one for one in denied(read, front) if str(one) not in said)]


def denied(needed: Iterable[Access], user: str, group: str = "") -> list[Denied]:
    """Everything in ``needed`` that ``user`` cannot reach, by owner, group and mode; in ``group``
    instead of its own one, where there is such a group."""
    account = pwd.getpwnam(user)
    gid = grp.getgrnam(group).gr_gid if group_exists(group) else account.pw_gid
    groups = set(os.getgrouplist(user, gid))
    found = (_first_obstacle(access, account.pw_uid, groups) for access in needed)
    return [replace(obstacle, user=user) for obstacle in found if obstacle]


def group_exists(name: str) -> bool:
    """Whether there is such a group here."""
    return _exists(grp.getgrnam, name)


def group_name(user: str) -> str:
    """The name of the user's own group."""
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


def server_group() -> str:
    """The group of the web server's own account, where there is one here."""
    account = server_account()
    return group_name(account) if account else "the server's"


def _exists(look: Callable[[str], object], name: str) -> bool:
    try:
        look(name)
    except KeyError:
        return False
    return True


def _sent_by_front(plan: Plan) -> Iterator[Path]:
    """What a web server in front of the application sends by itself, to anybody or to some."""
    if plan.stands_alone or not plan.front_sends_files:
        return
    for site in plan.sites:
        yield from _sent(plan, site)


def _sent(plan: Plan, site: SiteFacts) -> Iterator[Path]:
    yield from (mount.directory for mount in plan.static_mounts(site))
    yield from (file.path for file in site.root_files)
    yield from (area.directory for area in site.areas if area.directory)
    if site.media:
        yield site.media.directory
    if site.documents:
        yield site.documents


def _first_obstacle(access: Access, uid: int, groups: set[int]) -> Denied | None:
    component = Path("/")
    try:
        for component in _components(access.path):
            status = component.stat()
            if stat.S_ISDIR(status.st_mode) and not _allows(status, uid, groups, 0o1):
                return Denied(access, component, "the user may not pass")
    except PermissionError:
        return Denied(access, component, "you may not look at")
    except (FileNotFoundError, NotADirectoryError):
        return Denied(access, component, "there is no")
    except OSError as error:
        return Denied(access, Path(error.filename), f"{error.strerror}:")
    return _last_obstacle(access, component, uid, groups)


def _last_obstacle(access: Access, end: Path, uid: int, groups: set[int]) -> Denied | None:
    status = end.stat()
    if not _allows(status, uid, groups, 0o4):
        return Denied(access, end, "the user may not read")
    if access.write and not _allows(status, uid, groups, 0o2):
        return Denied(access, end, "the user may not write to")
    return None


def _components(path: Path, depth: int = 0) -> Generator[Path, None, Path]:
    """Every directory that the kernel passes on the way, through symbolic links, and the end."""
    if depth > _MOST_LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    here = Path("/")
    yield here
    for part in path.parts[1:]:
        step = here / part
        if part == "..":
            here = here.parent
        elif step.is_symlink():
            here = yield from _components(here / step.readlink(), depth + 1)
        else:
            here = step
            yield here
    return here


def _allows(status: os.stat_result, uid: int, groups: set[int], bit: int) -> bool:
    if uid == 0:
        return True
    if status.st_uid == uid:
        return bool(status.st_mode & bit << 6)
    if status.st_gid in groups:
        return bool(status.st_mode & bit << 3)
    return bool(status.st_mode & bit)
