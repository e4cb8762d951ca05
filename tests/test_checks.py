"""System checks: what ``manage.py check`` says, and what it leaves to ``check --deploy``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks

from tests.introspect.looking import kinds
from tests.projects import start_project

# Faults of settings that are wrong wherever the project runs, also on a developer's machine.
EVERYWHERE = {
    *("CONF_UNKNOWN", "CONF_TYPE", "BAD_PREFIX", "PREFIX_CONFLICT", "OVERLAP"),
    *("URL_CONFLICT", "BAD_URL", "BAD_ENVIRON", "BAD_TLS", "SITES_CONFLICT", "SITE_FAILED"),
    *("BAD_ROUTE", "CHOICE", "BAD_STORAGE", "SECRET_IN_ENVIRON", "BAD_POOL"),
    *("BAD_IDENTITY", "IDENTITY_INCOMPLETE", "TWO_REMOTE_USERS"),
    *("SHADOWED_ROUTE", "OUTSIDE_PREFIX", "COOKIE_PATH", "BAD_PROXY", "NO_PROXY_MIDDLEWARE"),
    *("PROXY_MIDDLEWARE_LATE", "BELIEVED_TWICE"),
    *("BAD_BACKEND", "ACTIVE_INLINE", "PROTECTED_OVERLAP", "PROTECTED_CODE", "ABOVE_SENDFILE"),
    "BAD_STORE",
    *("BAD_AUTH", "UNKNOWN_PERMISSION", "NO_SUCH_CACHE", "GROUPS_ALIKE", "BAD_AREA"),
}


def ours(*, deploy: bool) -> list[Any]:
    found = run_checks(include_deployment_checks=deploy)
    return [one for one in found if str(one.id).startswith("deploykit.")]


def test_kinds_of_plain_check() -> None:
    """What keeps a project from being developed is wrong everywhere; the rest is for --deploy."""
    assert {name for name, kind in kinds().items() if not kind.deploy} == EVERYWHERE


def test_message(settings: Any) -> None:
    """A check names the setting, says what is wrong, and has the hint and id of its kind."""
    settings.FORCE_SCRIPT_NAME = "app"
    settings.STATIC_URL = "static/"
    (error,) = ours(deploy=False)
    assert error.msg == "FORCE_SCRIPT_NAME: 'app' is not a URL prefix."
    assert error.hint == kinds()["BAD_PREFIX"].hint
    assert error.id == "deploykit.E006"
    assert error.is_serious()


def test_choices_are_checked_one_by_one(settings: Any) -> None:
    """Each wrong choice is a message, with what is allowed and what was probably meant."""
    settings.DEPLOYKIT = {"DEPLOYMENT": {"procesess": 2, "threads": "many"}}
    unknown, bad = ours(deploy=False)
    assert unknown.msg.startswith(
        "DEPLOYKIT['DEPLOYMENT']: unknown key 'procesess'. Did you mean 'processes'?"
    )
    assert bad.msg == (
        "DEPLOYKIT['DEPLOYMENT']: threads='many' is not allowed. "
        "Write a whole number from 1 to 9999."
    )


@pytest.mark.parametrize(("deploy", "expected"), [(False, []), (True, ["deploykit.W055"])])
def test_deployment_faults_wait_for_deploy(
    deploy: bool, expected: list[str], settings: Any, tmp_path: Path
) -> None:
    """What matters only on the network is not said while developing."""
    (tmp_path / "style.css").touch()
    settings.STATIC_ROOT = str(tmp_path)
    settings.ALLOWED_HOSTS = ["*"]
    assert [one.id for one in ours(deploy=deploy)] == expected


def test_fresh_project(tmp_path: Path) -> None:
    """One added line in INSTALLED_APPS keeps a fresh project free of messages."""
    done = start_project(tmp_path / "shop").manage("check", "--fail-level", "WARNING")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "System check identified no issues (0 silenced).\n"


def test_project_in_development(tmp_path: Path) -> None:
    """Static files that nobody collected yet, and hosts not yet chosen, stop no developer."""
    hosts = "ALLOWED_HOSTS = ''.split(',')\n"  # Of a variable that only the server has.
    static = "STATICFILES_DIRS = [BASE_DIR / 'assets']\n"
    project = start_project(tmp_path / "shop", hosts + static)
    project.write("assets/logo.svg", "<svg/>")
    assert project.manage("check", "--fail-level", "WARNING").returncode == 0
    done = project.manage("check", "--deploy")
    assert "deploykit.E005" in done.stderr
    assert "deploykit.E008" in done.stderr
    assert done.returncode == 1


def test_sites_are_looked_at_as_they_are_written(tmp_path: Path) -> None:
    """The module that names several sites is none itself: what is wrong is wrong with one of
    them."""
    sites = "DEPLOYKIT = {'SITES': {'blog': {'settings': 'no.such.module'}}}\nALLOWED_HOSTS = []\n"
    project = start_project(tmp_path / "server", sites)
    done = project.manage("check")
    assert done.returncode == 1
    assert "deploykit.E016" in done.stderr
    assert "deploykit.E004" not in project.manage("check", "--deploy").stderr
