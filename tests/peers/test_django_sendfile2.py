"""django-sendfile2's own tests, out of its source distribution, run against our ``sendfile``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.projects import ROOT
from tests.servers import harness

CACHE = ROOT / ".build" / "peers"
VERSION = "0.7.2"
SHIM = Path(__file__).with_name("sendfile_shim.py")

SETTINGS = """
from django_sendfile.test_settings import *

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
SENDFILE_BACKEND = SENDFILE_ROOT = SENDFILE_URL = None
"""

# Where we differ on purpose: the test's id, and why.
_ONE_NAME = "One parameter says the name exactly; there is no second, cut one for old browsers."
_EXISTS = "A file is opened before anything is answered, so that its validators are its own."
_OWN_SETTINGS = "These are settings of its own; ours follow from the stack."
_NO_MODULE = "mod_wsgi's redirect loses every header, so that ours are in the URL's query."
DIFFERENT = {
    "TestSendfile::test_attachment_filename_unicode": _ONE_NAME,
    "TestSendfile::test_attachment_filename_with_space": _ONE_NAME,
    "TestSendfile::test_backend_is_none": _OWN_SETTINGS,
    "TestSendfile::test_cve_2022_36359": (
        "Safe in another way: a name with a quote or a backslash is encoded, not escaped."
    ),
    "TestSendfile::test_dont_check_file_exists": _EXISTS,
    "TestSendfile::test_manually_set_content_length": (
        "On a hand-off, a length would make Apache wait for a body that never comes."
    ),
    "TestSendfile::test_root_is_none": _OWN_SETTINGS,
    "TestSendfile::test_sendfile": "It asks for the body of a backend that only this test has.",
    "TestXSendfileBackend::test_xsendfile_header_containing_unicode": (
        "The bytes of the path, as Latin-1: what it sends, Apache reads as another name."
    ),
    "TestNginxBackend::test_sendfile_url_not_set": (
        "Without an internal URL a path on disk would be taken for one."
    ),
    "TestModWsgiBackend::test_sendfile_url_not_set": _NO_MODULE,
    "TestModWsgiBackend::test_correct_url_in_location_header": _NO_MODULE,
    "TestModWsgiBackend::test_location_header_containing_unicode": _NO_MODULE,
}


@pytest.fixture(scope="session")
def distribution() -> Path:
    """The source distribution, downloaded once."""
    found = CACHE / f"django_sendfile2-{VERSION}.tar.gz"
    if not found.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(CACHE)]
        source = ["--no-binary", ":all:", "--no-deps", f"django-sendfile2=={VERSION}"]
        subprocess.run([*pip, *source], check=False, capture_output=True, timeout=300)
    harness.require("django-sendfile2's source distribution", found.exists())
    return found


def test_the_released_tests_of_django_sendfile2(distribution: Path, tmp_path: Path) -> None:
    """Every one passes but those listed above, and of these none has begun to."""
    package = tmp_path / "django_sendfile"
    package.mkdir()
    with tarfile.open(distribution) as archive:
        for name in ("tests.py", "test_settings.py"):
            member = archive.extractfile(f"django_sendfile2-{VERSION}/django_sendfile/{name}")
            assert member
            (package / name).write_bytes(member.read())
    (package / "__init__.py").touch()
    (package / "utils.py").write_text(SHIM.read_text())
    (tmp_path / "peer_settings.py").write_text(SETTINGS)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-rA", "-q", "-p", "no:randomly"),
            *("-p", "no:cacheprovider", "-W", "ignore", "--ds=peer_settings"),
            *("--rootdir", str(tmp_path), "-c", os.devnull, "django_sendfile/tests.py"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = re.findall(r"^([A-Z]+)\b.*? django_sendfile/tests\.py::(\w+::\w+)", done.stdout, re.M)
    results = {(result, name) for result, name in lines}
    failed = {name for result, name in results if result != "PASSED"}  # SUBFAILED, for one
    assert failed == set(DIFFERENT), done.stdout[-4000:]
    assert len({name for _, name in results}) == 32
