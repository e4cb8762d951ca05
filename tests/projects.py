"""Throw-away projects: what ``django-admin startproject`` makes, with settings added at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from django.core.management import call_command

ROOT = Path(__file__).resolve().parents[1]

# Variables of the test run that a command of a user would not have.
_OURS = ("CI", "DJANGO_SETTINGS_MODULE")


@dataclass(frozen=True)
class Project:
    """A project on disk, and its commands."""

    directory: Path

    def manage(self, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a management command, as a user would, to its end."""
        return subprocess.run(
            [sys.executable, "manage.py", *args],
            cwd=self.directory,
            env={**self.environment(), **environ},
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=120,
            check=False,
        )

    def manage_unread(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a management command whose output is a pipe that nobody reads any more."""
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w") as pipe:
            return subprocess.run(
                [sys.executable, "manage.py", *args],
                cwd=self.directory,
                env=self.environment(),
                stdout=pipe,
                stderr=subprocess.PIPE,
                text=True,
                timeout=120,
                check=False,
            )

    def environment(self) -> dict[str, str]:
        """The environment of a user: what belongs to the test run stays out."""
        kept = {name: value for name, value in os.environ.items() if name not in _OURS}
        return {**kept, "PYTHONPATH": str(ROOT)}

    def write(self, name: str, text: str) -> Path:
        """Put a file into the project."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
        return path


def start_project(directory: Path, settings: str = "", name: str = "shop") -> Project:
    """A fresh project with "django_deploykit" in INSTALLED_APPS, and ``settings`` after that."""
    directory.mkdir(parents=True, exist_ok=True)
    call_command("startproject", name, str(directory))
    project = Project(directory)
    path = directory / name / "settings.py"
    added = "INSTALLED_APPS += ['django_deploykit']\n" + dedent(settings)
    path.write_text(path.read_text(encoding="utf-8") + added, encoding="utf-8")
    return project
