"""Hand what would be written to the server's own checker."""

from __future__ import annotations

import subprocess
from dataclasses import replace

from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Foreground
from django_deploykit.config.stack import Stack
from django_deploykit.exceptions import CannotRun
from django_deploykit.run.directory import lay_out, run_directory


def validate(stack: Stack, plan: Plan) -> str:
    """Return what the checker said. Raise CannotRun if it refused, or is not installed."""
    with run_directory() as directory:
        processes = lay_out(stack, replace(plan, directory=directory), directory, None)
        said = "".join(_check(process.foreground) for process in processes)
    return said.replace(f"{directory}/", "")


def _check(foreground: Foreground) -> str:
    done = subprocess.run(foreground.check, capture_output=True, text=True, timeout=60, check=False)
    said = done.stdout + done.stderr
    if done.returncode:
        raise CannotRun(f"The server refuses the configuration:\n{said.strip()}")
    return said
