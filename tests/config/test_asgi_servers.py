"""uvicorn and granian: what their golden files cannot say, and their own opinion of them."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from django_deploykit.config.registry import renderers
from django_deploykit.config.stack import resolve
from django_deploykit.config.values import Address
from django_deploykit.exceptions import CannotRun, ChoiceError
from django_deploykit.run.validate import validate
from tests.cases import CASES, DEPLOYMENT, produced, site
from tests.config.tiny import environment, relocated
from tests.servers import harness

SERVERS = ("granian", "uvicorn")
ACCEPTED = [
    (target, name) for target in SERVERS for name in CASES if produced(target, name)[0] == ".py"
]


def config(target: str, **choices: Any) -> dict[str, Any]:
    """The settings that an emitted file holds, which are Python."""
    stack = resolve(target)
    plan = stack.plan([site()], replace(DEPLOYMENT, **choices), Path("/etc/deploykit"))
    text = stack.renderer(plan).render().text
    literal = re.search(r"^config = (\{.*?^\})", text, re.MULTILINE | re.DOTALL)
    assert literal
    found: dict[str, Any] = eval(literal[1])  # noqa: S307 - it is Python that we wrote
    return found


@pytest.mark.server
@pytest.mark.parametrize(("target", "name"), ACCEPTED)
def test_the_server_accepts(
    target: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows every setting, and loads the emitted script of a real project."""
    harness.require(target, importlib.util.find_spec(target))
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    sites = [relocated(facts, tmp_path) for facts in CASES[name].sites]
    stack = resolve(target)
    validate(stack, stack.plan(sites, CASES[name].deployment))


@pytest.mark.server
@pytest.mark.parametrize("target", SERVERS)
def test_the_server_refuses_what_does_not_load(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application that cannot be imported is found before anything is installed."""
    harness.require(target, importlib.util.find_spec(target))
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    facts = relocated(site(), tmp_path)
    (tmp_path / "shop" / "asgi.py").write_text("raise RuntimeError('on purpose')\n")
    stack = resolve(target)
    with pytest.raises(CannotRun, match="on purpose"):
        validate(stack, stack.plan([facts], DEPLOYMENT))


@pytest.mark.parametrize("target", SERVERS)
def test_a_path_and_an_address(target: str) -> None:
    """A socket of either kind is where the server listens."""
    stack = resolve(target)
    for socket, said in {
        Path("/run/it's here.sock"): repr("/run/it's here.sock"),
        Address("::1", 9000): "='::1', port=9000",
    }.items():
        plan = stack.plan([site()], replace(DEPLOYMENT, socket=socket))
        assert said in stack.renderer(plan).render().text


@pytest.mark.parametrize("seconds", [1, 16, 60, 9999])
def test_a_silent_websocket_outlives_every_front(seconds: int) -> None:
    """uvicorn pings before a front, which waits for request_timeout and more, gives it up."""
    ping = config("uvicorn", request_timeout=seconds)["ws_ping_interval"]
    stack = resolve("nginx", "http", "uvicorn")
    deployment = replace(DEPLOYMENT, request_timeout=seconds, server_version=(1, 22, 1))
    plan = stack.plan([site(websockets=("/ws/",))], deployment)
    limit = re.search(r"proxy_read_timeout (\d+)s;", stack.renderer(plan).render().text)
    assert limit
    assert 0 < ping < int(limit[1])


@pytest.mark.parametrize("target", SERVERS)
def test_choices_reach_the_server(target: str) -> None:
    """Workers, and the time that a request may take before its worker has to end."""
    found = config(target, processes=7, request_timeout=33)
    assert found["workers"] == 7
    assert 33 in found.values()
    assert found["backlog"] == 1024


@pytest.mark.parametrize(("seconds", "patience"), [(5, 60), (60, 60), (300, 300)])
def test_a_new_worker_may_load_the_project(seconds: int, patience: int) -> None:
    """uvicorn gives up one that is not ready in time, and a reload with it."""
    assert config("uvicorn", request_timeout=seconds)["timeout_worker_healthcheck"] == patience


def test_nothing_is_believed_by_the_server_itself() -> None:
    """uvicorn takes no address or scheme from a header; granian never does."""
    assert config("uvicorn")["proxy_headers"] is False


@pytest.mark.parametrize("target", SERVERS)
def test_several_sites_are_refused(target: str) -> None:
    """One file starts one site's server."""
    with pytest.raises(ChoiceError, match="one file serves one site"):
        renderers()[target](CASES["two_sites"].plan(renderers()[target])).render()


def test_an_old_apache_lets_no_websocket_through() -> None:
    """What there was before 2.4.47 is not used, and that is said (CVE-2019-17567)."""
    apache = renderers()["apache"]
    rendered = apache(CASES["apache_without_upgrade"].plan(apache)).render()
    assert "upgrade=" not in rendered.text
    assert "ws://" not in rendered.text
    assert [text for text in rendered.warnings if "from 2.4.47 on" in text]
