"""Servers of the behaviour suite: each site is started once, and ends before the next."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

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


@pytest.fixture
def sessions(example: Project) -> dict[str, str]:
    """By name, the session of each user who has signed in; every site of a project knows it."""
    return example.sessions


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


@pytest.hookimpl(tryfirst=True, wrapper=True)  # pytest-xdist has to see the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark whatever needs a server binary, and keep together what shares a server."""
    for item in items:
        if _is_here(item):
            _mark(item)
    yield  # Others shuffle.
    first: dict[tuple[object, ...], int] = {}
    for index, item in enumerate(items):
        first.setdefault(_shared(item), index)
    items.sort(key=lambda item: first[_shared(item)])


def _is_here(item: pytest.Item) -> bool:
    return os.fspath(item.path).startswith(os.path.dirname(__file__))


def _mark(item: pytest.Item) -> None:
    item.add_marker("server")
    site = _params(item).get("site")
    item.add_marker(pytest.mark.xdist_group(str(site or item.path.stem)))
    if not site or not item.path.stem.startswith(rows.MODULES):
        return
    if number := rows.number(item.function):  # type: ignore[attr-defined]
        item.user_properties.append((table.PROPERTY, [site.stack.cell, number]))


def _shared(item: pytest.Item) -> tuple[object, ...]:
    """What a test shares with others: the servers of its module that it names. pytest's own order
    tears some of them apart, and each would be started again."""
    if not _is_here(item):
        return ()
    named = [value for value in _params(item).values() if _names_a_server(value)]
    return (item.path, *map(str, named))


def _names_a_server(value: object) -> bool:
    known = value[0] if isinstance(value, tuple) and value else value
    return isinstance(known, Site | Stack)


def _params(item: pytest.Item) -> Mapping[str, Any]:
    return item.callspec.params if hasattr(item, "callspec") else {}
