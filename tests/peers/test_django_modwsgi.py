"""Django's own tests of its mod_wsgi handler, out of its source distribution, against ours.

Nothing of them is changed. Two things are said besides: REVALIDATE is 0, because they change a row
and look at once, and by default a change acts within a second; and a deactivated user is unknown,
as to Django's handler, where Apache's next provider by default is not asked.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import django

from tests.servers import harness

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".build" / "peers"

SETTINGS = """
from test_sqlite import *

DEPLOYKIT = {"AUTH": {"REVALIDATE": 0, "INACTIVE_IS_UNKNOWN": True}}
"""

RUN = """
import runpy, sys

from django_deploykit.handlers import modwsgi

sys.modules["django.contrib.auth.handlers.modwsgi"] = modwsgi
sys.argv = ["runtests.py", "--settings=peer_settings", "auth_tests.test_handlers"]
sys.path.insert(0, ".")
runpy.run_path("runtests.py", run_name="__main__")
"""


def source() -> Path | None:
    """The source distribution of the installed Django, downloaded once; None without a network."""
    version = django.get_version()
    archive = KEPT / f"django-{version}.tar.gz"
    if not archive.exists():
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
        what = ["--no-deps", "--no-binary", ":all:", "--dest", str(KEPT), f"django=={version}"]
        subprocess.run([*pip, *what], check=False, capture_output=True, timeout=300)
    return archive if archive.exists() else None


def test_djangos_own_tests(tmp_path: Path) -> None:
    """They import our module for Django's, and pass."""
    archive = source()
    harness.require("Django's source distribution", archive)
    assert archive
    subprocess.run(["tar", "--extract", "--file", archive, "--directory", tmp_path], check=True)
    (tests,) = tmp_path.glob("*/tests")
    (tests / "peer_settings.py").write_text(SETTINGS)
    kept = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN],
        cwd=tests,
        env={**kept, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Ran 4 tests" in done.stderr
    assert "\nOK\n" in done.stderr
