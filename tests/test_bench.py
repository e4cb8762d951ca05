"""The benchmarks run; what they measure is for people to read."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import figures, proxied
from tests.projects import ROOT
from tests.servers import harness

WAYS = ("nginx", "mod_xsendfile-0.12", "lighttpd", "stream")


@pytest.mark.server
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
    """Every table of a proxy names ours, ProxyFix and the same work, every stack's what is emitted,
    each with what a request took; what has a goal is left for the table, with the share of a whole
    stack's request."""
    command = [sys.executable, "-m", "bench.proxy", "--rounds", "5"]
    requests = [f"--request={name}=1000" for name in proxied.STACKS.values()]
    command += ["--figures", str(tmp_path / "figures"), *requests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _, *tables = done.stdout.split("\n\n")
    assert len(tables) == 6 + len(proxied.STACKS)
    for table in tables[:6]:
        for name in (proxied.FIX, proxied.SAME_WORK, "wrap()"):
            assert re.search(rf"^{re.escape(name)} +-?\d+\.\d\d ", table, re.MULTILINE)
    for table in tables[6:]:
        assert re.search(r"TrustedProxyMiddleware.* -?\d+\.\d\d ", table)
    found = figures.read(tmp_path / "figures")
    assert all(one.goal for one in found)
    shares = [one for one in found if "% of hello by ours: " in one.name]
    assert [one.ratio for one in shares] == [one.beside["µs"] / 1000 * 100 for one in shares]
    assert len(shares) == len(proxied.STACKS)


def test_the_same_work_leaves_nothing_that_was_forged() -> None:
    """Else it would be less work than ours, and no measure of it."""
    seen: dict[str, str] = {}
    forged = {"HTTP_FORWARDED": "for=192.0.2.1", "HTTP_REMOTE_USER": "root"}
    told = proxied.environ(HTTP_X_FORWARDED_FOR="192.0.2.7", **forged)
    proxied.SameWork(lambda environ, start: seen.update(environ), {"x_for": 1})(told, print)
    assert seen["REMOTE_ADDR"] == "192.0.2.7"
    assert not {*forged, "HTTP_X_FORWARDED_FOR"} & seen.keys()


def test_calls_that_send_files_are_measured(tmp_path: Path) -> None:
    """By each way of sending, beside its peer."""
    command = [sys.executable, "-m", "bench.sendfile", "--calls", "--rounds", "1"]
    command += ["--figures", str(tmp_path / "figures")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = [one.name.partition(" ÷")[0] for one in figures.read(tmp_path / "figures")]
    assert names == [f"sendfile() by {way}" for way in WAYS]
