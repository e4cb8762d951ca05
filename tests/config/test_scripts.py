"""Emitted entry scripts, loaded by an interpreter of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.registry import renderers
from django_deploykit.config.stack import resolve
from django_deploykit.exceptions import ChoiceError, UnrepresentableValue
from tests.cases import CASES, DEPLOYMENT, produced, site
from tests.config.tiny import environment, relocated

SCRIPTS = ("asgi", "wsgi")
_LOAD = """
import json, os, runpy, sys

from wsgiref.util import setup_testing_defaults

application = runpy.run_path(sys.argv[1])["application"]


def status(application, path):
    said = []
    environ = {"PATH_INFO": path, "HTTP_HOST": "example.com"}
    setup_testing_defaults(environ)
    list(application(environ, lambda status, headers: said.append(status)))
    return said[0][:3]


from django.conf import settings
from django.urls import get_script_prefix

print(json.dumps({
    "callable": callable(application),
    "type": type(application).__name__,
    "status": status(application, sys.argv[2]) if sys.argv[2:] else None,
    "module": os.environ["DJANGO_SETTINGS_MODULE"],
    "settings": settings.SETTINGS_MODULE,
    "env_file": settings.FROM_ENV_FILE,
    "stack": os.environ["DEPLOYKIT_STACK"],
    "prefix": get_script_prefix(),
    "static_url": settings.STATIC_URL,
    "path": sys.path[:2],
}))
"""


def write(target: str, facts: SiteFacts, directory: Path, front: str = "") -> Path:
    """Render the script of a relocated site, as a companion of ``front``, to disk."""
    stack = resolve(front or target)
    plan = Plan(
        sites=(facts,),
        deployment=DEPLOYMENT,
        label=stack.label,
        gateway=stack.gateway,
        directory=directory,
        stands_alone=stack.renderer.stands_alone,
    )
    rendered = renderers()[target](plan).render()
    path = directory / Path(rendered.filename).name
    path.write_text(rendered.text, encoding="utf-8")
    return path


def load(script: Path, *path: str, **environ: str) -> Any:
    """Run a script in a fresh interpreter, request a path from it; what it left behind."""
    command = [sys.executable, "-c", _LOAD, str(script), *path]
    done = subprocess.run(
        command, env=environment(**environ), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("target", SCRIPTS)
def test_forces_its_settings(target: str, tmp_path: Path) -> None:
    """The script's own settings module wins over whatever the environment says."""
    script = write(target, relocated(site(), tmp_path), tmp_path)
    seen = load(script, DJANGO_SETTINGS_MODULE="somebody.elses.settings")
    assert seen["callable"]
    assert seen["module"] == seen["settings"] == "shop.settings"
    assert seen["stack"] == f"{target}/script"


@pytest.mark.parametrize("target", SCRIPTS)
def test_reads_the_environment_file(target: str, tmp_path: Path) -> None:
    """What the environment file says is there before the settings are read."""
    facts = site()
    application = replace(facts.application, env_file=Path("/srv/shop/.env"))
    script = write(target, relocated(replace(facts, application=application), tmp_path), tmp_path)
    assert load(script)["env_file"] == "read"


@pytest.mark.parametrize("target", SCRIPTS)
def test_knows_its_prefix_from_the_first_moment(target: str, tmp_path: Path) -> None:
    """A relative STATIC_URL lies below the prefix although no request has come yet."""
    seen = load(write(target, relocated(site(prefix="/shop"), tmp_path), tmp_path))
    assert seen["prefix"] == "/shop/"
    assert seen["static_url"] == "/shop/static/"


@pytest.mark.parametrize("target", SCRIPTS)
def test_imports_its_own_code_first(target: str, tmp_path: Path) -> None:
    """The project's directory, then its packages, stand first on the path, and only once."""
    facts = relocated(site(), tmp_path)
    seen = load(write(target, facts, tmp_path))
    assert seen["path"] == [str(tmp_path), str(facts.interpreter.packages)]


def test_a_project_without_asgi_has_an_application(tmp_path: Path) -> None:
    """Without ASGI_APPLICATION the script makes Django's own ASGI application."""
    facts = relocated(CASES["minimal"].sites[0], tmp_path)
    assert load(write("asgi", facts, tmp_path))["type"] == "ASGIHandler"


@pytest.mark.parametrize("target", SCRIPTS)
def test_any_name_of_the_application_will_do(target: str, tmp_path: Path) -> None:
    """A server finds ``application``, whatever the settings call it."""
    facts = relocated(site(), tmp_path)
    module = f"shop.{target}"
    (tmp_path / "shop" / f"{target}.py").write_text(
        f"from django.core.{target} import get_{target}_application\n"
        f"site = get_{target}_application()\n"
    )
    app = replace(facts.application, **{target: f"{module}.site"})
    script = write(target, replace(facts, application=app), tmp_path)
    assert load(script)["callable"]


@pytest.mark.parametrize(("front", "status"), [("gunicorn", "301"), ("apache", "404")])
def test_standing_alone_it_does_what_a_front_would(front: str, status: str, tmp_path: Path) -> None:
    """Only without a server in front does the script itself know where the site is mounted."""
    script = write("wsgi", relocated(site(prefix="/shop"), tmp_path), tmp_path, front)
    assert load(script, "/shop")["status"] == status


@pytest.mark.parametrize("target", SCRIPTS)
@pytest.mark.parametrize("name", CASES)
def test_golden_scripts_compile(target: str, name: str) -> None:
    """Whatever the paths hold, the script is Python."""
    suffix, text = produced(target, name)
    assert suffix == ".py"
    compile(text, f"{name}.py", "exec")


@pytest.mark.parametrize("target", SCRIPTS)
def test_one_of_several_is_not_printed(target: str) -> None:
    """Printing the script of only the first site would pass it off as that of all."""
    renderer = renderers()[target]
    plan = replace(CASES["two_sites"], directory=None).plan(renderer)
    with pytest.raises(ChoiceError, match=r"shop, blog, intranet .*--output DIRECTORY"):
        renderer(plan).render()


@pytest.mark.parametrize("target", SCRIPTS)
def test_several_are_written_together(target: str) -> None:
    """Every site has a script of its own in the written set."""
    case = CASES["two_sites"]
    stack = case.stack(renderers()[target])
    written = [one.filename for one in stack.render(case.plan(stack.renderer))]
    assert written == [f"{target}/{name}_{target}.py" for name in ("shop", "blog", "intranet")]


@pytest.mark.parametrize(
    "dotted", ["shop.wsgi.", "shop.wsgi.a-b", "shop.class.app", "x.y; import os"]
)
def test_a_name_that_is_none_is_refused(dotted: str) -> None:
    """What Python cannot import is refused with the setting's name."""
    facts = site()
    facts = replace(facts, application=replace(facts.application, wsgi=dotted))
    renderer = renderers()["wsgi"]
    plan = replace(CASES["minimal"], sites=(facts,)).plan(renderer)
    with pytest.raises(UnrepresentableValue, match="WSGI_APPLICATION"):
        renderer(plan).render()


def test_wsgi_needs_a_wsgi_application() -> None:
    """A project that has only ASGI gets no WSGI script."""
    facts = site()
    facts = replace(facts, application=replace(facts.application, wsgi=None))
    renderer = renderers()["wsgi"]
    with pytest.raises(ChoiceError, match="WSGI_APPLICATION is unset"):
        renderer(replace(CASES["minimal"], sites=(facts,)).plan(renderer)).render()
