"""The files that load a site's script and serve it: flup's, Twisted's, and the CGI script."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import Interpreter
from django_deploykit.config.launcher import CHECK
from django_deploykit.config.output import OutputFile, State, full_text, output_files, write
from django_deploykit.config.plan import Plan
from django_deploykit.config.registry import renderers
from django_deploykit.config.stack import Stack, resolve
from django_deploykit.config.values import Address
from django_deploykit.exceptions import CannotRun, ChoiceError, UnrepresentableValue
from tests.cases import AWKWARD, CASES, DEPLOYMENT, DIRECTORY, produced, site
from tests.config.tiny import environment, relocated

# Each with a stack that it belongs to.
LAUNCHED = {
    "cgi": resolve("apache", "cgi"),
    "flup": resolve("nginx", "fastcgi", "flup"),
    "twisted": resolve("nginx", "http", "twisted"),
}


def plan(stack: Stack, deployment: Deployment = DEPLOYMENT) -> Plan:
    return Plan(
        sites=(site(),),
        deployment=deployment,
        label=stack.label,
        gateway=stack.gateway,
        directory=DIRECTORY,
        app_server=stack.app_server.name if stack.app_server else "",
    )


def text(stack: Stack, deployment: Deployment = DEPLOYMENT) -> str:
    (server,) = stack.app_servers(plan(stack, deployment))
    return server.render().text


# Which stacks there are


@pytest.mark.parametrize(
    ("target", "gateway", "expected"),
    [
        ("apache", "fcgid", "flup"),
        ("apache", "cgi", "cgi"),
        ("lighttpd", "cgi", "cgi"),
        ("nginx", "fastcgi", "uwsgi"),
        ("nginx", "http", "gunicorn"),
    ],
)
def test_a_gateway_alone_is_enough(target: str, gateway: str, expected: str) -> None:
    """It has a good application server by default."""
    app_server = resolve(target, gateway).app_server
    assert app_server
    assert app_server.name == expected


@pytest.mark.parametrize(
    ("target", "gateway", "app_server", "message"),
    [
        ("apache", "fcgid", "twisted", r"cannot reach 'twisted'.*speak it: flup\."),
        ("apache", "cgi", "flup", r"cannot reach 'flup'.*speak it: cgi\."),
        ("nginx", "scgi", "twisted", r"cannot reach 'twisted'.*speak it: flup, uwsgi\."),
        ("nginx", "fcgid", None, r"unknown gateway 'fcgid'"),
        ("lighttpd", "fcgid", None, r"unknown gateway 'fcgid'"),
    ],
)
def test_impossible_pairs_are_refused(
    target: str, gateway: str, app_server: str | None, message: str
) -> None:
    """The refusal names those that exist."""
    with pytest.raises(ChoiceError, match=message):
        resolve(target, gateway, app_server)


@pytest.mark.parametrize("target", LAUNCHED)
def test_alone_it_is_still_behind_a_front(target: str) -> None:
    """Its script believes no more than it would as a part of the front's stack."""
    stack = resolve(target)
    written = stack.render(stack.plan([site()], DEPLOYMENT, DIRECTORY), services=False)
    assert [one.filename.partition("/")[0] for one in written] == [target, target]
    assert "behind_front(" in written[1].text


def test_a_front_that_starts_processes_leaves_none_to_run() -> None:
    """mod_fcgid and CGI need nobody else; a server that listens does."""
    for target, stack in LAUNCHED.items():
        running = stack.running(plan(stack))
        assert bool(running) == (target != "cgi")
    stack = resolve("apache", "fcgid")
    assert stack.running(plan(stack)) == []
    assert [one.name for one in stack.app_servers(plan(stack))] == ["flup"]


# What they say


def test_who_listens_and_who_is_started() -> None:
    """A path, an address, or nothing where the front has the socket."""
    tcp = replace(DEPLOYMENT, socket=Address("127.0.0.1", 9000))
    assert "address='/run/shop/shop.sock'" in text(LAUNCHED["flup"])
    assert "address=('127.0.0.1', 9000)" in text(LAUNCHED["flup"], tcp)
    assert "address=('127.0.0.1', 9000)" in text(LAUNCHED["twisted"], tcp)
    assert "address=None" in text(resolve("apache", "fcgid"), tcp)
    assert "protocol='scgi'" in text(resolve("nginx", "scgi", "flup"))


@pytest.mark.parametrize("target", LAUNCHED)
@pytest.mark.parametrize("name", CASES)
def test_golden_files_compile(target: str, name: str) -> None:
    """Whatever the paths hold, the file is Python."""
    suffix, content = produced(target, name)
    if suffix != ".error":
        compile(content, f"{name}{suffix}", "exec")


@pytest.mark.parametrize("target", ["cgi", "flup"])
@pytest.mark.parametrize(
    ("home", "reason"), [("/srv/my site/venv", "a blank ends it"), (f"/{'x' * 300}", "holds 255")]
)
def test_an_interpreter_that_no_first_line_can_name(target: str, home: str, reason: str) -> None:
    """It is refused with the choice that named it, and not cut off by the kernel."""
    deployment = replace(DEPLOYMENT, python_home=Path(home))
    with pytest.raises(UnrepresentableValue, match=reason) as refusal:
        text(LAUNCHED[target], deployment)
    assert refusal.value.setting == "python_home"


@pytest.mark.parametrize("target", ["cgi", "fcgid"])
def test_apache_says_whose_processes_they_are(target: str) -> None:
    """It runs them as itself, whatever user is named."""
    stack = resolve("apache", target)
    front = stack.renderer(plan(stack, replace(DEPLOYMENT, user="shop")))
    assert [warning for warning in front.render().warnings if "Apache's own user" in warning]
    assert stack.renderer(plan(stack)).render().warnings == ()


@pytest.mark.parametrize("target", ["cgi", "fcgid"])
def test_an_apache_without_cgipassauth_is_refused(target: str) -> None:
    """The oldest that will do is named."""
    stack = resolve("apache", target)
    old = replace(DEPLOYMENT, server_version=(2, 4, 12))
    with pytest.raises(ChoiceError, match=r"needs Apache 2\.4\.13, not 2\.4\.12"):
        stack.renderer(plan(stack, old)).render()


def test_what_does_not_run_by_itself_says_what_does() -> None:
    """A CGI script has no process of its own."""
    stack = LAUNCHED["cgi"]
    with pytest.raises(CannotRun, match="not something that runs by itself"):
        stack.app_servers(plan(stack))[0].foreground(DIRECTORY, None)


@pytest.mark.parametrize("target", ["cgi", "flup"])
def test_an_interpreter_has_the_name_it_has(target: str) -> None:
    """That of Debian is python3; the virtual environment that a choice names has python."""
    own = Interpreter(
        prefix=Path("/usr"), packages=Path("/usr/lib"), version=(3, 11), program="python3"
    )
    stack = LAUNCHED[target]
    here = replace(plan(stack), sites=(site(interpreter=own),))
    (server,) = stack.app_servers(here)
    assert server.render().text.startswith("#!/usr/bin/python3\n")
    there = replace(here, deployment=replace(DEPLOYMENT, python_home=Path("/srv/venv")))
    (server,) = stack.app_servers(there)
    assert server.render().text.startswith("#!/srv/venv/bin/python\n")


# Loaded, from a directory of a hostile name


@pytest.mark.parametrize("target", LAUNCHED)
def test_hostile_paths_are_loaded_from(target: str, tmp_path: Path) -> None:
    """Quotes, backslashes and letters of any kind in the paths change nothing."""
    stack = LAUNCHED[target]
    home = tmp_path / AWKWARD.lstrip("/") / '"""\\n{x}<<module>>'
    home.mkdir(parents=True)
    here = replace(plan(stack), sites=(relocated(site(), home),), directory=home / "deploy")
    scripts = [*stack.app_servers(here), renderers()["wsgi"](here)]
    write(output_files([one.render() for one in scripts], home / "deploy", "test"))
    (launcher,) = (home / "deploy" / target).iterdir()
    hostile = {"DJANGO_SETTINGS_MODULE": "somebody.elses"}
    done = subprocess.run(
        [sys.executable, "-c", f"{CHECK}; import os; print(dict(os.environ))", str(launcher)],
        env=environment(**hostile),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "'DJANGO_SETTINGS_MODULE': 'shop.settings'" in done.stdout
    assert f"'DEPLOYKIT_STACK': '{stack.label}'" in done.stdout


# On disk


@pytest.mark.parametrize("target", ["cgi", "flup"])
def test_a_file_that_is_started_begins_with_its_interpreter(target: str, tmp_path: Path) -> None:
    """The kernel looks at the first line; the header follows, and still tells what was edited."""
    stack = LAUNCHED[target]
    (rendered,) = [one.render() for one in stack.app_servers(plan(stack))]
    (file,) = output_files([rendered], tmp_path, "manage.py deployconfig")
    write([file])
    first, header, checksum, *_ = file.path.read_text().splitlines()
    assert re.fullmatch(r"#!/srv/shop/venv/bin/python", first)
    assert "Written by django-deploykit" in header
    assert "sha256" in checksum
    assert stat.S_IMODE(os.stat(file.path).st_mode) == 0o755
    assert file.state is State.SAME
    file.path.write_text(file.text.replace("#!/srv", "#!/opt", 1))
    assert file.state is State.EDITED
    older = full_text(replace(rendered, lines=rendered.lines[:-1]), "manage.py deployconfig")
    file.path.write_text(older)
    assert OutputFile(file.path, file.text, file.mode).state is State.OUTDATED


def test_renderers_know_their_front() -> None:
    """What a front starts is one of the protocols that it speaks."""
    for renderer in renderers().values():
        assert set(renderer.spawned) <= set(renderer.protocols)
