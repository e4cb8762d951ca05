"""A directory of its own for one run: the rendered stack, its private files, its logs."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from django_deploykit.config.environment import first_environment
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.output import output_files, write
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Foreground, Renderer
from django_deploykit.config.stack import Stack
from django_deploykit.config.values import Address
from django_deploykit.exceptions import CannotRun

# A unix socket's path has at most 107 bytes (unix(7)), and the server appends its own name.
_LONGEST = 60
_SHORT = "/tmp"  # noqa: S108 - mkdtemp makes a name of its own below it


@dataclass(frozen=True)
class Process:
    """One server of a stack, how to run it, the socket it makes, and as whom it is started; in the
    user's own group, unless one is named."""

    foreground: Foreground
    socket: Path | Address | None
    user: str | None
    group: str


@contextlib.contextmanager
def run_directory() -> Iterator[Path]:
    """Make a directory that the server's user can enter, and remove it afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="deployrun-", dir=_short_parent()))
    try:
        directory.chmod(0o755)
        for name in ("log", "run"):
            (directory / name).mkdir()
            (directory / name).chmod(0o755)  # whatever the umask is
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def lay_out(stack: Stack, plan: Plan, directory: Path, user: str | None) -> list[Process]:
    """Write the stack and what it needs to run into ``directory``, the plan's own.

    Return what to run, in order: application servers first, the front last.
    """
    if stack.app_server and plan.gateway in stack.app_server.spawned:
        plan = _with_environment(plan, directory, user)
    where = {one: one.plan.socket(one.plan.sites[0]) for one in stack.running(plan)}
    asked = {one: plan.authorizers[one.plan.sites[0].name] for one in stack.authorizers(plan)}
    meeting: dict[Renderer, Path | Address | None] = {**where, **asked, stack.renderer(plan): None}
    write(output_files(stack.render(plan, services=False), directory, "manage.py deployrun"))
    if user:
        for name in ("log", "run"):  # Some servers open their logs after they have dropped.
            shutil.chown(directory / name, user)
    processes = []
    for renderer, socket in meeting.items():
        foreground = renderer.foreground(directory, user)
        for name, text in foreground.files.items():
            (directory / name).write_text(text, encoding="utf-8")
            (directory / name).chmod(0o644)
        account = None if foreground.drops else user
        processes.append(Process(foreground, socket, account, plan.deployment.group))
    return processes


def _with_environment(plan: Plan, directory: Path, user: str | None) -> Plan:
    """Hand the environment of the command on by a file, to processes that a front starts without
    it."""
    return replace(
        plan, sites=tuple(_environment_file(site, directory, user) for site in plan.sites)
    )


def _environment_file(site: SiteFacts, directory: Path, user: str | None) -> SiteFacts:
    path, own = directory / "run" / f"{site.name}.env", site.application.env_file
    environment = first_environment()
    pairs = {name: re.sub(r'(["\\])', r"\\\1", value) for name, value in environment.items()}
    lines = [f'{name}="{value}"\n' for name, value in pairs.items() if "\n" not in value]
    # The first that names a variable wins, as the environment does over the site's own file.
    text = "".join(lines) + (own.read_text(encoding="utf-8") if own else "")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    if user:
        shutil.chown(path, user)
    return replace(site, application=replace(site.application, env_file=path))


def _short_parent() -> str:
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) <= _LONGEST:
        return parent
    if os.access(_SHORT, os.W_OK):
        return _SHORT
    raise CannotRun(f"The temporary directory {parent!r} is too long for a unix socket's path.")
