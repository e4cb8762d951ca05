"""A directory of its own for one run: the rendered stack, its private files, its logs."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django_deploykit.config.deployment import Address
from django_deploykit.config.output import output_files, write
from django_deploykit.config.renderer import Foreground, Plan
from django_deploykit.config.stack import Stack
from django_deploykit.exceptions import CannotRun

# A unix socket's path has at most 107 bytes (unix(7)), and the server appends its own name.
_LONGEST = 60
_SHORT = "/tmp"  # noqa: S108 - mkdtemp makes a name of its own below it


@dataclass(frozen=True)
class Process:
    """One server of a stack, how to run it, the socket it makes, and as whom it is started."""

    foreground: Foreground
    socket: Path | Address | None
    user: str | None


@contextlib.contextmanager
def run_directory() -> Iterator[Path]:
    """Make a directory that the server's user can enter, and remove it afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="deployrun-", dir=_short_parent()))
    try:
        directory.chmod(0o755)
        for name in ("log", "run"):
            (directory / name).mkdir(mode=0o755)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def lay_out(stack: Stack, plan: Plan, directory: Path, user: str | None) -> list[Process]:
    """Write the stack and what it needs to run into ``directory``, the plan's own.

    Return what to run, in order: application servers first, the front last.
    """
    renderers = [*stack.app_servers(plan), stack.renderer(plan)]
    rendered = stack.render(plan, services=False)
    write(output_files(rendered, directory, "manage.py deployrun"))
    if user:
        for name in ("log", "run"):  # Some servers open their logs after they have dropped.
            shutil.chown(directory / name, user)
    processes = []
    for renderer in renderers:
        foreground = renderer.foreground(directory, user)
        for name, text in foreground.files.items():
            (directory / name).write_text(text, encoding="utf-8")
        behind = renderer is not renderers[-1]
        socket = plan.socket(renderer.plan.sites[0]) if behind else None
        processes.append(Process(foreground, socket, None if foreground.drops else user))
    return processes


def _short_parent() -> str:
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) <= _LONGEST:
        return parent
    if os.access(_SHORT, os.W_OK):
        return _SHORT
    raise CannotRun(f"The temporary directory {parent!r} is too long for a unix socket's path.")
