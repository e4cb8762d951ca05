"""A directory of its own for one run: the rendered stack, its private files, its logs."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django_deploykit.config.output import output_files, write
from django_deploykit.config.renderer import Foreground, Plan
from django_deploykit.config.stack import Stack
from django_deploykit.exceptions import CannotRun

# A unix socket's path has at most 107 bytes (unix(7)), and the server appends its own name.
_LONGEST = 60
_SHORT = "/tmp"  # noqa: S108 - mkdtemp makes a name of its own below it


@contextlib.contextmanager
def run_directory() -> Iterator[Path]:
    """Make a directory that the server's user can enter, and remove it afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="deployrun-", dir=_short_parent()))
    try:
        directory.chmod(0o755)
        (directory / "log").mkdir(mode=0o755)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def lay_out(stack: Stack, plan: Plan, directory: Path, user: str | None) -> Foreground:
    """Write the stack and what it needs to run into ``directory``, the plan's own."""
    foreground = stack.renderer(plan).foreground(directory, user)
    write(output_files(stack.render(plan), directory, "manage.py deployrun"))
    for name, text in foreground.files.items():
        (directory / name).write_text(text, encoding="utf-8")
    return foreground


def _short_parent() -> str:
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) <= _LONGEST:
        return parent
    if os.access(_SHORT, os.W_OK):
        return _SHORT
    raise CannotRun(f"The temporary directory {parent!r} is too long for a unix socket's path.")
