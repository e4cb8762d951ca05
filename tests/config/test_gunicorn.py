"""gunicorn alone: what its golden files cannot say."""

from __future__ import annotations

import importlib.util
import os
import pwd
from dataclasses import replace
from pathlib import Path

import pytest

from django_deploykit.config.appservers.gunicorn import GunicornRenderer
from django_deploykit.config.plan import Plan
from django_deploykit.run.validate import validate
from tests.cases import CASES, DEPLOYMENT, MEDIA, Case, produced, site
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
