"""werkzeug's own tests of ProxyFix, out of its source distribution, run against our core."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.projects import ROOT
from tests.servers import harness

CACHE = ROOT / ".build" / "peers"
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


@pytest.fixture(scope="session")
def distribution() -> Path:
    """The source distribution of the installed werkzeug; its wheel has no tests."""
    found = CACHE / f"werkzeug-{_version()}.tar.gz"
    if not found.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(CACHE)]
        source = ["--no-binary", ":all:", "--no-deps", f"werkzeug=={_version()}"]
        subprocess.run([*pip, *source], check=False, capture_output=True, timeout=300)
    harness.require("werkzeug's source distribution", found.exists())
    return found


def _version() -> str:
    return version("werkzeug")


def test_the_released_tests_of_proxy_fix(distribution: Path, tmp_path: Path) -> None:
    """Every one passes but those listed above, and of these none has begun to."""
    with tarfile.open(distribution) as archive:
        member = next(name for name in archive.getnames() if name.endswith(TESTS))
        content = archive.extractfile(member)
        assert content
        (tmp_path / "test_proxy_fix.py").write_bytes(content.read())
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-rA", "-p", "tests.peers.proxy_fix"),
            *(
                "-p",
                "no:django",
                "-p",
                "no:randomly",
                "-c",
                "/dev/null",
                "--rootdir",
                str(tmp_path),
            ),
            str(tmp_path / "test_proxy_fix.py"),
        ],
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
