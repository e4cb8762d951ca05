"""werkzeug's own tests of ProxyFix, out of its source distribution, run against our core."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers.sources import source
from tests.projects import ROOT
from tests.servers import harness

pytestmark = pytest.mark.xdist_group("peers")
TESTS = "tests/middleware/test_proxy_fix.py"

# Where we differ on purpose: the test's id, and why.
DIFFERENT = {
    "port, host with port": (
        "X-Forwarded-Port contradicts the port in Host: one of the two is wrong, and nobody knows "
        "which. ProxyFix takes the header; we refuse the request and say so."
    ),
    "ipv6 - port, host with port": "The same, with an IPv6 address.",
    "prefix < for": (
        "ProxyFix counts proxies for each header apart. Here one count holds for all: of two "
        "prefixes, that of the proxy counts which named the client."
    ),
}


@pytest.fixture(scope="module")
def theirs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their tests; the wheel of werkzeug has none."""
    directory = source(
        "werkzeug", request.config.cache.mkdir("peers"), tmp_path_factory.mktemp("werkzeug")
    )
    harness.require("werkzeug's source distribution", directory)
    assert directory
    return directory / TESTS


def test_the_released_tests_of_proxy_fix(theirs: Path, tmp_path: Path) -> None:
    """Every one passes but those listed above, and of these none has begun to."""
    test = shutil.copy(theirs, tmp_path)  # Away from werkzeug's conftest.py, and its source.
    plugins = ("-p", "tests.peers.proxy_fix", "-p", "no:django", "-p", "no:randomly")
    done = subprocess.run(
        (sys.executable, "-m", "pytest", "-rA", *plugins, "-c", "/dev/null", test),
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    results = re.findall(r"^(PASSED|FAILED|ERROR) \S+\[(.+?)\](?: - .*)?$", done.stdout, re.M)
    assert len(results) >= 17, done.stdout + done.stderr
    assert {name for status, name in results if status != "PASSED"} == set(DIFFERENT), done.stdout
