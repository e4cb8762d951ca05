"""The benchmarks run; what they measure is for people to read."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from bench import figures
from tests.projects import ROOT
from tests.servers import harness

WAYS = ("nginx", "mod_xsendfile-0.12", "lighttpd", "stream")


def test_a_guarded_file_is_measured(tmp_path: Path) -> None:
    """Beside an open one; a request that is refused ends it. The ratio is left for the table."""
    harness.require_lighttpd()
    harness.require("ab", shutil.which("ab"))
    command = [sys.executable, "-m", "bench.auth", "--rounds", "1", "--requests", "8"]
    command += ["--only", "lighttpd, authorizer", "--figures", str(tmp_path / "figures")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    row = done.stdout.splitlines()[-1]
    assert re.match(r"lighttpd, authorizer +[1-9]\d* +\d+\.\d +\d+\.\d{4} +\d+ +\d+$", row)
    (found,) = figures.read(tmp_path / "figures")
    assert found.ratio
    assert found.goal == 0.25


def test_the_benchmark_measures_every_candidate(tmp_path: Path) -> None:
    """Every table names ours and ProxyFix, each with what a request took; what has a goal is left
    for the table, with the share of a whole stack's request."""
    command = [sys.executable, "-m", "bench.proxy", "--rounds", "2", "--calls", "2"]
    command += ["--figures", str(tmp_path / "figures"), "--request=ours: nginx=1000"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _, *tables = done.stdout.split("\n\n")
    assert len(tables) == 6
    for table in tables:
        assert re.search(r"^ProxyFix +\d+\.\d\d ", table, re.MULTILINE)
        assert re.search(r"^wrap\(\).* \d+\.\d\d ", table, re.MULTILINE)
    found = figures.read(tmp_path / "figures")
    assert all(one.goal for one in found)
    shares = [one for one in found if "% of hello by ours: nginx, startproject" in one.name]
    assert [one.ratio for one in shares] == [one.beside["µs"] / 1000 * 100 for one in shares]
    assert len(shares) == 4


def test_calls_that_send_files_are_measured(tmp_path: Path) -> None:
    """By each way of sending, beside its peer."""
    command = [sys.executable, "-m", "bench.sendfile", "--calls", "--rounds", "1"]
    command += ["--figures", str(tmp_path / "figures")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = [one.name.partition(" ÷")[0] for one in figures.read(tmp_path / "figures")]
    assert names == [f"sendfile() by {way}" for way in WAYS]
