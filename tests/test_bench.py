"""The benchmarks run; what they measure is for people to read."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

from tests.projects import ROOT
from tests.servers import harness


def test_a_guarded_file_is_measured() -> None:
    """Beside an open one; a request that is refused ends it."""
    harness.require_lighttpd()
    harness.require("ab", shutil.which("ab"))
    command = [sys.executable, "-m", "bench.auth", "--rounds", "1", "--requests", "8"]
    command += ["--only", "lighttpd, authorizer"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    row = done.stdout.splitlines()[-1]
    assert re.match(r"lighttpd, authorizer +[1-9]\d* +\d+\.\d +\d+\.\d{4} +\d+ +\d+$", row)


def test_the_benchmark_measures_every_candidate() -> None:
    """Every table names ours and ProxyFix, each with what a request took."""
    command = [sys.executable, "-m", "bench.proxy", "--rounds", "2", "--calls", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _, *tables = done.stdout.split("\n\n")
    assert len(tables) == 6
    for table in tables:
        assert re.search(r"^ProxyFix +\d+\.\d\d ", table, re.MULTILINE)
        assert re.search(r"^wrap\(\).* \d+\.\d\d ", table, re.MULTILINE)
