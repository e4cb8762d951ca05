"""The project that is measured: a copy of ``bench/project`` with its data and files made."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

from bench.load import NotMeasured
from tests.servers.harness import ROOT

SMALL, SCRIPT, LARGE = 1024, 50 * 1024, 2**20

_DATA = """
from shop.models import Category, Product

categories = [Category.objects.create(name=f"category {number}") for number in range(5)]
Product.objects.bulk_create(
    Product(name=f"product {number}", price=number, category=categories[number % 5])
    for number in range(100)
)
"""


def make(directory: Path) -> Path:
    """Copy the project below ``directory``, fill its tables, and collect its static files."""
    project = directory / "project"
    shutil.copytree(ROOT / "bench" / "project", project)
    (project / "data").mkdir()
    _write_files(project / "files")
    _manage(project, "migrate", "--run-syncdb", "-v0")
    _manage(project, "shell", "-v0", "-c", _DATA)
    _manage(project, "collectstatic", "--no-input", "-v0")
    return project


def _write_files(directory: Path) -> None:
    """A small file, a script that compresses as scripts do, and a large one that does not."""
    directory.mkdir()
    chance = random.Random(7)  # noqa: S311 - the same files in each run
    words = ["".join(chance.choices("abcdefghij(){};=. ", k=9)) for _ in range(2000)]
    text = " ".join(chance.choices(words, k=SCRIPT // 9))
    (directory / "small.css").write_text(text[:SMALL])
    (directory / "script.js").write_text(text[:SCRIPT])
    (directory / "large.bin").write_bytes(chance.randbytes(LARGE))


def _manage(project: Path, *words: str) -> None:
    command = [sys.executable, "manage.py", *words]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotMeasured(f"{words[0]}: {done.stderr[-500:]}")
