"""The application and its interpreter: what is known about wsgi.py without running it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from django.test import override_settings
from whitenoise.middleware import WhiteNoiseMiddleware

from django_deploykit.config.introspect import application, introspect
from tests.introspect.conftest import Read
from tests.introspect.looking import facts, ids, messages

PLAIN = "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
RELATIVE = "from .settings import DEBUG\n" + PLAIN
OWN = 'import os\nos.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"\n' + PLAIN
CONDITIONAL = (
    'import os\nif os.environ.get("STAGE"):\n'
    '    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "a.settings")\n'
    'else:\n    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "b.settings")\n' + PLAIN
)
NEVER = 'raise RuntimeError("a wsgi.py that is only looked at must not run")\n' + PLAIN


class OwnWhiteNoise(WhiteNoiseMiddleware):
    """As a project would adapt it."""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An importable package of a name of its own."""
    name = "site_" + tmp_path.name.replace("-", "_")
    directory = tmp_path / name
    directory.mkdir()
    (directory / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    return directory


@pytest.mark.parametrize("source", [PLAIN, OWN, CONDITIONAL, NEVER])
def test_plain_wsgi_file_is_used_as_it_is(source: str, package: Path, read: Read) -> None:
    """A file that a server can run by its path is a fact; finding it out does not run it."""
    (package / "wsgi.py").write_text(source)
    application = facts(read(WSGI_APPLICATION=f"{package.name}.wsgi.application")).application
    assert application.wsgi_file == package / "wsgi.py"


@pytest.mark.parametrize(
    ("file", "dotted", "source"),
    [
        ("wsgi.py", "wsgi.app", "app = None\n"),
        ("wsgi.py", "wsgi.application", RELATIVE),
        ("__init__.py", "application", PLAIN),
    ],
    ids=["other name", "relative import", "package"],
)
def test_other_wsgi_file_needs_a_script(
    file: str, dotted: str, source: str, package: Path, read: Read
) -> None:
    """A callable that no server finds in the file itself is no fault, but needs a script."""
    (package / file).write_text(source)
    application = facts(read(WSGI_APPLICATION=f"{package.name}.{dotted}")).application
    assert application.wsgi == f"{package.name}.{dotted}"
    assert application.wsgi_file is None


def test_wsgi_file_for_other_settings_is_not_used(read: Read) -> None:
    """A wsgi.py that names another settings module would serve another site than was read."""
    found = read(WSGI_APPLICATION="tests.introspect.other_wsgi.application")
    assert facts(found).application.wsgi_file is None
    assert "'shop.settings.production'" in messages(found)


@pytest.mark.parametrize(
    "source",
    [
        "def application(environ, start_response): ...\n",
        "class application: ...\n",
        "from elsewhere import app as application\n",
        "from elsewhere import *\n",
        "try:\n    import application\nexcept ImportError:\n    application = None\n",
        "this is no Python\n",
    ],
)
def test_any_binding_counts(source: str, package: Path, read: Read) -> None:
    """Only a module that certainly lacks the name is reported."""
    (package / "wsgi.py").write_text(source)
    assert ids(read(WSGI_APPLICATION=f"{package.name}.wsgi.application")) == set()


def test_package_that_fails_is_reported(package: Path, read: Read) -> None:
    """A package that raises while it is imported is a fault with a message, not a traceback."""
    (package / "__init__.py").write_text("1 / 0\n")
    found = read(WSGI_APPLICATION=f"{package.name}.wsgi.application")
    assert ids(found) == {"E003"}
    assert f"'{package.name}.wsgi.application' cannot be imported" in messages(found)


def test_asgi_alone_is_enough(read: Read) -> None:
    """A project with only ASGI_APPLICATION has an application."""
    found = read(WSGI_APPLICATION=None, ASGI_APPLICATION="tests.wsgi.application")
    application = facts(found).application
    assert (application.wsgi, application.asgi) == (None, "tests.wsgi.application")


def test_root_is_where_the_settings_are_imported_from(read: Read) -> None:
    """The project's directory needs no BASE_DIR: it is what must be on the Python path."""
    found = facts(read(BASE_DIR=None))
    assert found.application.root == Path(__file__).resolve().parents[2]
    assert found.application.settings_module == "tests.settings"


def test_settings_module_is_known_through_overrides() -> None:
    """override_settings(), which every test suite uses, does not hide the settings module."""
    with override_settings(DEBUG=True), override_settings(ALLOWED_HOSTS=["a.example"]):
        found = introspect().facts
    assert found is not None
    assert found.application.settings_module == "tests.settings"
    assert found.hosts.names == ("a.example",)


def test_interpreter_is_the_running_one(read: Read) -> None:
    """The virtual environment, not the Python it was made from."""
    interpreter = facts(read()).interpreter
    assert interpreter.prefix == Path(sys.prefix)
    assert interpreter.version == sys.version_info[:2]
    assert interpreter.packages.is_relative_to(sys.prefix)
    assert (interpreter.prefix / "bin" / interpreter.program).exists()


def test_an_interpreter_without_the_usual_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's own Python is called python3, and nothing else, unless a package adds a name."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python3"))
    assert application.interpreter().program == "python3"
    (tmp_path / "bin/python").touch()
    assert application.interpreter().program == "python"


@pytest.mark.parametrize(
    ("middleware", "expected"),
    [
        ("whitenoise.middleware.WhiteNoiseMiddleware", True),
        ("tests.introspect.test_application.OwnWhiteNoise", True),
        ("django.middleware.common.CommonMiddleware", False),
        ("nowhere.Middleware", False),
    ],
)
def test_whitenoise(middleware: str, expected: bool, read: Read) -> None:
    """WhiteNoise is known by its class, so also under another name."""
    assert facts(read(MIDDLEWARE=[middleware])).whitenoise is expected
