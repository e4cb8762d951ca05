"""Golden files: what every target writes for every case, read by eye before it is committed.

``pytest tests/test_golden.py --update-golden`` rewrites them; then read the difference.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from django_deploykit.config.registry import renderers
from tests.cases import CASES, everything, produced

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = Path(__file__).parent / "golden"
PAIRS = [(target, name) for target in renderers() for name in CASES]


@pytest.mark.parametrize(("target", "name"), PAIRS)
def test_golden_text(target: str, name: str, pytestconfig: pytest.Config) -> None:
    """A target writes, or refuses with, exactly what was reviewed."""
    suffix, text = produced(target, name)
    path = GOLDEN / target / f"{name}{suffix}"
    if pytestconfig.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_no_golden_file_is_unused(pytestconfig: pytest.Config) -> None:
    """Every golden file belongs to a target and a case that exist."""
    used = {GOLDEN / target / f"{name}{produced(target, name)[0]}" for target, name in PAIRS}
    unused = {path for path in GOLDEN.rglob("*") if path.is_file()} - used
    if pytestconfig.getoption("--update-golden"):
        while unused:
            unused.pop().unlink()
    assert not unused


@pytest.mark.parametrize("seed", ["1", "2"])
def test_output_is_the_same_in_any_process(seed: str) -> None:
    """Rendering twice gives the same bytes, whatever the order of Python's hashes."""
    command = [sys.executable, "-c", "from tests.cases import everything; print(everything())"]
    environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.decode() == f"{everything()}\n"
