"""Hand what would be written to the server's own checker."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace

from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Foreground
from django_deploykit.config.stack import Stack
from django_deploykit.exceptions import CannotRun
from django_deploykit.run.directory import lay_out, run_directory

_SECONDS = 60


def validate(stack: Stack, plan: Plan) -> str:
    """Return what the checker said. Raise CannotRun if it refused, or is not installed."""
    with run_directory() as directory:
        processes = lay_out(stack, replace(plan, directory=directory), directory, None)
        said = "".join(_check(process.foreground) for process in processes)
    return said.replace(f"{directory}/", "")


def _check(foreground: Foreground) -> str:
    try:
        done = subprocess.run(
            foreground.check, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise CannotRun(
            f"The server's checker did not end in {_SECONDS} seconds: {shlex.join(late.cmd)}. Some "
            "load the project: see what that waits for."
        ) from None
    said = done.stdout + done.stderr
    if done.returncode:
        raise CannotRun(f"The server refuses the configuration:\n{said.strip()}")
    return said
