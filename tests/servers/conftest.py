"""Servers of the behaviour suite: each site is started once, and ends before the next."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import harness, rows, table
from tests.servers.harness import Project, Server
from tests.servers.stacks import SITES, Site, Stack

# Only root can make a container, with a systemd of its own.
collect_ignore = [] if os.geteuid() == 0 else ["test_systemd_live.py", "test_systemd_values.py"]


@pytest.fixture(scope="session")
def public() -> Iterator[Path]:
    """A directory for this run that the web server's user can enter."""
    with harness.public_directory() as directory:
        yield directory


@pytest.fixture(scope="session")
def example(public: Path) -> Project:
    """A copy of example_project with its data made, owned by the web server's user."""
    return harness.example_project(public)


@pytest.fixture(scope="session")
def sessions(example: Project) -> dict[str, str]:
    """By name, the session of each user who has signed in; every site of a project knows it."""
    return {}


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Site:
    """One stack at one place; every test that asks for it runs for all it applies to."""
    found: Site = request.param
    found.stack.require()
    return found


@pytest.fixture(scope="session")
def stack(site: Site) -> Stack:
    """The stack of the site."""
    return site.stack


@pytest.fixture(scope="session")
def server(site: Site, example: Project) -> Iterator[Server]:
    """The stack, serving example_project at the root or below a prefix, until the next is asked."""
    environ = {"LANG": "C", "LC_ALL": "C"}  # as distributions start their servers
    if site.prefix:
        environ["FORCE_SCRIPT_NAME"] = site.prefix
    arguments = site.stack.arguments
    with harness.deployrun(example, *arguments, prefix=site.prefix, environ=environ) as running:
        yield running
        below = harness.descendants(running.process.pid)
        assert harness.stop(running.process) == 0
        assert not harness.alive(below)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test for every site that it applies to, of those that its module names; pytest groups
    them."""
    if "site" in metafunc.fixturenames:
        asked = getattr(metafunc.module, "SITES", SITES)
        sites = [site for site in asked if rows.applies(metafunc.function, site)]
        metafunc.parametrize("site", sites, ids=str, indirect=True, scope="session")


@pytest.hookimpl(tryfirst=True)  # pytest-xdist has to see the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whatever needs a server binary, and keep what shares a server in one process."""
    here = os.path.dirname(__file__)
    for item in items:
        if not os.fspath(item.path).startswith(here):
            continue
        item.add_marker("server")
        site = item.callspec.params.get("site") if hasattr(item, "callspec") else None
        item.add_marker(pytest.mark.xdist_group(str(site or item.path.stem)))
        if not item.path.stem.startswith(rows.MODULES):
            continue
        if site and (number := rows.number(item.function)):  # type: ignore[attr-defined]
            item.user_properties.append((table.PROPERTY, [site.stack.cell, number]))
