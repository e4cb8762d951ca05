"""gunicorn alone: what its golden files cannot say."""

from __future__ import annotations

import importlib.util
import os
import pwd
import stat
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from django_deploykit.config.appservers.gunicorn import GunicornRenderer
from django_deploykit.config.output import output_files, write
from django_deploykit.config.plan import Plan
from django_deploykit.config.stack import resolve
from django_deploykit.config.values import Address
from django_deploykit.exceptions import CannotRun
from django_deploykit.run.validate import validate
from tests.cases import CASES, DEPLOYMENT, MEDIA, VERSIONS, Case, produced, site
from tests.config.tiny import environment, relocated
from tests.servers import harness

ACCEPTED = [name for name in CASES if produced("gunicorn", name)[0] == ".py"]


def plan(case: Case) -> Plan:
    return case.plan(GunicornRenderer)


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """gunicorn is started with the environment of whoever starts it."""
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])


@pytest.mark.server
@pytest.mark.usefixtures("clean_environment")
@pytest.mark.parametrize("name", ACCEPTED)
def test_gunicorn_accepts(name: str, tmp_path: Path) -> None:
    """gunicorn itself, with a real project, finds nothing wrong with a golden case."""
    harness.require("gunicorn", importlib.util.find_spec("gunicorn"))
    case = CASES[name]
    user = pwd.getpwuid(os.getuid()).pw_name if case.deployment.user else ""
    local = replace(
        case,
        sites=tuple(relocated(facts, tmp_path) for facts in case.sites),
        deployment=replace(case.deployment, user=user, group=""),
    )
    assert validate(local.stack(GunicornRenderer), plan(local)) == ""


@pytest.mark.server
@pytest.mark.usefixtures("clean_environment")
def test_a_project_that_hangs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gunicorn's checker loads it, and would wait as long."""
    harness.require("gunicorn", importlib.util.find_spec("gunicorn"))
    case = replace(CASES["minimal"], sites=(relocated(site(), tmp_path),))
    (tmp_path / "shop" / "wsgi.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr("django_deploykit.run.validate._SECONDS", 1)
    with pytest.raises(CannotRun, match=r"did not end in 1 seconds: .*--check-config"):
        validate(case.stack(GunicornRenderer), plan(case))


@pytest.mark.server
def test_its_socket_is_for_the_front_alone(tmp_path: Path) -> None:
    """By itself, gunicorn opens it to every user of the machine."""
    harness.require("gunicorn", importlib.util.find_spec("gunicorn"))
    facts, where, directory = relocated(site(), tmp_path), tmp_path / "s.sock", tmp_path / "deploy"
    stack = resolve("nginx", "http", "gunicorn")
    chosen = replace(DEPLOYMENT, socket=where, server_version=VERSIONS["nginx"])
    plan = stack.plan([facts], chosen, directory)
    write(output_files(stack.render(plan), directory, "a test"))
    (server,) = stack.app_servers(plan)
    command = server.foreground(directory, None).command
    process = subprocess.Popen(command, env=environment(PYTHONWARNINGS=""))
    try:
        deadline = time.monotonic() + 30
        while not where.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert stat.S_IMODE(where.stat().st_mode) == 0o660
    finally:
        process.terminate()
        process.wait(60)


def test_over_tcp_there_is_no_mask() -> None:
    """Only a socket with a path has a mode."""
    stack = resolve("nginx", "http", "gunicorn")
    chosen = replace(
        DEPLOYMENT, socket=Address("127.0.0.1", 9000), server_version=VERSIONS["nginx"]
    )
    (server,) = stack.app_servers(stack.plan([site()], chosen, Path("/srv/deploy")))
    assert "umask" not in server.render().text


def test_drops_to_the_users_own_group() -> None:
    """A user without a named group gets his own: a process must not keep the group of root."""
    account = pwd.getpwuid(os.getuid())
    deployment = replace(DEPLOYMENT, user=account.pw_name)
    text = GunicornRenderer(plan(Case(sites=(site(),), deployment=deployment))).render().text
    values: dict[str, object] = {}
    exec(text, values)  # noqa: S102 - it is Python that we wrote
    assert (values["user"], values["group"]) == (account.pw_name, account.pw_gid)


def test_says_what_it_does_not_serve() -> None:
    """Files that a front server would serve are named, not left out silently."""
    case = Case(sites=(site(media=MEDIA, routes=("/app/",)),))
    warnings = GunicornRenderer(plan(case)).render().warnings
    assert [text for text in warnings if "MEDIA_URL" in text]
    assert [text for text in warnings if "ROUTES" in text]
    assert len(warnings) == 2


def test_warns_of_nothing_without_a_reason() -> None:
    """A site with static files alone is served completely."""
    assert GunicornRenderer(plan(Case(sites=(site(),)))).render().warnings == ()
