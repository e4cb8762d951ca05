"""Servers of the behaviour suite: each stack is started once, when first asked for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers import harness
from tests.servers.harness import Project, Server
from tests.servers.stacks import STACKS, Stack


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
def running(example: Project) -> Iterator[Callable[[Stack, str], Server]]:
    """Start a stack below a prefix, or hand out the one that already runs."""
    started: dict[tuple[str, str], Server] = {}
    with contextlib.ExitStack() as stack:

        def start(wanted: Stack, prefix: str) -> Server:
            key = wanted.label, prefix
            if key not in started:
                wanted.require()
                environ = {"LANG": "C", "LC_ALL": "C"}  # as distributions start their servers
                if prefix:
                    environ["FORCE_SCRIPT_NAME"] = prefix
                run = harness.deployrun(example, *wanted.arguments, prefix=prefix, environ=environ)
                started[key] = stack.enter_context(run)
            return started[key]

        yield start


@pytest.fixture(params=["", "/app"], ids=["root", "prefix"])
def prefix(request: pytest.FixtureRequest) -> str:
    """Where the site is mounted."""
    return str(request.param)


@pytest.fixture(params=STACKS.values(), ids=STACKS.keys())
def stack(request: pytest.FixtureRequest) -> Stack:
    """One row of the table of stacks."""
    found: Stack = request.param
    return found


@pytest.fixture
def server(running: Callable[[Stack, str], Server], stack: Stack, prefix: str) -> Server:
    """The stack, serving example_project at the root or below a prefix."""
    return running(stack, prefix)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whatever needs a server binary."""
    for item in items:
        if os.fspath(item.path).startswith(os.path.dirname(__file__)):
            item.add_marker("server")
