"""Application servers that listen on TCP, where that is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import harness, small_projects
from tests.servers.harness import Project
from tests.servers.stacks import STACKS, Stack
from tests.servers.test_sites import TWO_SITES


def _listening() -> list[Stack]:
    """Every gateway of a front, and every protocol of an application server, once: neither knows
    who the other is. What its front starts listens nowhere."""
    found: list[Stack] = []
    seen: set[tuple[str, str]] = set()
    for stack in STACKS.values():
        sides = {(stack.target, stack.gateway), (stack.app_server, stack.gateway)}
        if stack.app_server and stack.gateway not in ("cgi", "fcgid") and not sides <= seen:
            found.append(stack)
            seen |= sides
    return found


LISTENING = _listening()


@pytest.mark.parametrize("stack", LISTENING, ids=str)
def test_front_and_application_meet_on_tcp(example: Project, stack: Stack) -> None:
    """Everything is said as over a socket's path: who the client is, the path, the data."""
    stack.require()
    where = f"socket=127.0.0.1:{harness.free_port()}"
    with harness.deployrun(example, *stack.arguments, "--set", where) as server:
        seen = server.get("/whoami/", ("X-Forwarded-For", "203.0.113.9")).json
        assert (seen["client"], seen["scheme"]) == ("127.0.0.1", "http")
        assert (seen["script_name"], seen["path_info"]) == ("", "/whoami/")
        assert seen["data"]["REGION"] == "eu-north"
        body = b"x" * 100_000
        assert server.post("/upload/raw/", body).json["bytes"] == len(body)


@pytest.mark.parametrize("target", ["apache", "lighttpd", "nginx"])
def test_sites_cannot_share_an_address(two_sites: Project, target: str) -> None:
    """One address leads to one application."""
    arguments = ("--gateway", "http", "--set", "socket=127.0.0.1:9000")
    done = two_sites.manage("deployconfig", target, *arguments)
    assert done.returncode == 2
    assert "several sites or pools cannot share" in done.stderr


@pytest.fixture(scope="module")
def two_sites(public: Path) -> Project:
    """Two settings modules below one directory."""
    return small_projects.make(public / "two-on-tcp", {"shop": TWO_SITES, "blog": ""})
