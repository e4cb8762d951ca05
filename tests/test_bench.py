"""The benchmark runs; what it measures is for people to read."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.projects import ROOT


def test_the_benchmark_measures_every_candidate() -> None:
    """Every table names ours and ProxyFix, each with what a request took."""
    command = [sys.executable, "-m", "bench.proxy", "--rounds", "2", "--calls", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _, *tables = done.stdout.split("\n\n")
    assert len(tables) == 3
    for table in tables:
        assert re.search(r"^ProxyFix +\d+\.\d\d ", table, re.MULTILINE)
        assert re.search(r"^wrap\(\).* \d+\.\d\d ", table, re.MULTILINE)
