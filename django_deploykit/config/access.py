"""Would the web server's user get 403? A walk along each path, component by component."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django_deploykit.config.renderer import Access

# The accounts under which distributions run web servers.
SERVER_ACCOUNTS = ("www-data", "apache", "http", "nobody")


@dataclass(frozen=True)
class Denied:
    """A needed path, and the component of it at which the user stops."""

    access: Access
    component: Path
    problem: str

    def __str__(self) -> str:
        return f"{self.access.path} ({self.access.why}): {self.problem} {self.component}"


def server_account(named: str = "") -> str | None:
    """The user to check for: the one named, or the first usual one that exists here."""
    candidates = (named,) if named else SERVER_ACCOUNTS
    return next((name for name in candidates if _account_exists(name)), None)


def denied(needed: Iterable[Access], user: str) -> list[Denied]:
    """Everything in ``needed`` that ``user`` cannot reach, by owner, group and mode."""
    account = pwd.getpwnam(user)
    groups = set(os.getgrouplist(user, account.pw_gid))
    found = (_first_obstacle(access, account.pw_uid, groups) for access in needed)
    return [obstacle for obstacle in found if obstacle]


def group_name(user: str) -> str:
    """The name of the user's own group."""
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


def _account_exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _first_obstacle(access: Access, uid: int, groups: set[int]) -> Denied | None:
    path = access.path
    for component in [*reversed(path.parents), path]:
        try:
            status = component.stat()
        except OSError:
            return Denied(access, component, "there is no")
        is_directory = stat.S_ISDIR(status.st_mode)
        if is_directory and not _allows(status, uid, groups, 0o1):
            return Denied(access, component, "the user may not pass")
        if component == path and not _allows(status, uid, groups, 0o4):
            return Denied(access, component, "the user may not read")
        if component == path and access.write and not _allows(status, uid, groups, 0o2):
            return Denied(access, component, "the user may not write to")
    return None


def _allows(status: os.stat_result, uid: int, groups: set[int], bit: int) -> bool:
    if uid == 0:
        return True
    if status.st_uid == uid:
        return bool(status.st_mode & bit << 6)
    if status.st_gid in groups:
        return bool(status.st_mode & bit << 3)
    return bool(status.st_mode & bit)
