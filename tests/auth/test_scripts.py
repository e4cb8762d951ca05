"""Auth scripts, each run by a Python of its own as mod_wsgi runs it (R36, R37)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from tests.projects import Project, start_project

Run = Callable[[str], subprocess.CompletedProcess[str]]

ASK = "print(check_password({}, 'alice', 'secret'), check_password({}, 'alice', 'wrong'))"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with one user."""
    made = start_project(tmp_path_factory.mktemp("scripts") / "shop")
    made.write("broken/__init__.py", "")
    made.write("broken/settings.py", "raise RuntimeError('the first error')\n")
    assert made.manage("migrate", "-v0").returncode == 0
    people = (
        "from django.contrib.auth.models import User\n"
        "User.objects.create_user('alice', password='secret')"
    )
    assert made.manage("shell", "-v0", "-c", people).returncode == 0
    return made


@pytest.fixture
def run(project: Project) -> Run:
    def execute(text: str) -> subprocess.CompletedProcess[str]:
        path = f"import sys\nsys.path.insert(0, {str(project.directory)!r})\n"
        return subprocess.run(
            [sys.executable, "-c", path + dedent(text)],
            cwd=Path("/"),
            env=project.environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return execute


def test_the_script_of_the_documentation(run: Run) -> None:
    """Bootstrap, then import."""
    done = run(
        f"""
        from django_deploykit.handlers import bootstrap
        bootstrap("shop.settings", stack="apache/mod_wsgi")
        from django_deploykit.handlers.modwsgi import check_password
        {ASK}
        """
    )
    assert done.stdout == "True False\n", done.stderr


def test_a_script_without_bootstrap(run: Run) -> None:
    """With Django's own module such a script, which its documentation has, ends in
    AppRegistryNotReady; ours sets Django up when it is first asked."""
    script = f"""
        import os
        os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
        from HANDLER import check_password, groups_for_user
        {ASK}
        """
    ours = run(script.replace("HANDLER", "django_deploykit.handlers.modwsgi"))
    assert ours.stdout == "True False\n", ours.stderr
    theirs = run(script.replace("HANDLER", "django.contrib.auth.handlers.modwsgi"))
    assert "AppRegistryNotReady" in theirs.stderr


@pytest.mark.parametrize("first", ["bootstrap('shop.settings')", "import django; django.setup()"])
def test_r36_a_second_site_is_refused(run: Run, first: str) -> None:
    """However the first one was set up, its users are not asked for another's."""
    done = run(
        f"""
        import os
        os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
        from django.core.exceptions import ImproperlyConfigured
        from django_deploykit.handlers import bootstrap
        {first}
        try:
            bootstrap("broken.settings")
        except ImproperlyConfigured as error:
            print(error)
        """
    )
    assert "'shop.settings'" in done.stdout, done.stderr
    assert "'broken.settings'" in done.stdout


def test_r37_the_first_error_is_the_one_reported(run: Run) -> None:
    """mod_wsgi runs a failed script again for each request, in the same interpreter."""
    done = run(
        """
        from django_deploykit.handlers import bootstrap
        for _ in range(3):
            try:
                bootstrap("broken.settings")
            except RuntimeError as error:
                print(error)
        """
    )
    assert done.stdout == "the first error\n" * 3, done.stderr
