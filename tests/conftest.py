"""Options of the whole suite, and what it says at its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.urls import get_script_prefix, set_script_prefix
from hypothesis import HealthCheck, settings

from tests.servers import harness, table

_outcomes = table.Outcomes()

# How long an example takes tells how busy the machine is, and nothing of the code.
settings.register_profile(
    "busy", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy")


@pytest.fixture(autouse=True, scope="session")
def _threads_close_their_databases() -> Iterator[None]:
    """A database in memory is gone with its last connection, so Django closes none. A thread's is
    not the last; and since Python 3.13 one that is left open is a warning."""
    usual = DatabaseWrapper.is_in_memory_db
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            DatabaseWrapper,
            "is_in_memory_db",
            lambda wrapper: (
                threading.current_thread() is threading.main_thread() and usual(wrapper)
            ),
        )
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Rewrite tests/golden/.")
    parser.addoption("--stacks", action="store_true", help="Print the table of stacks at the end.")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _outcomes.add(report)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if config.getoption("--stacks"):
        for line in _outcomes.lines():
            terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that prints what was missing in this one (pytest-xdist)."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["missing"] = sorted(harness.missing)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    harness.missing.update(getattr(node, "workeroutput", {}).get("missing", ()))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Say below everything else which servers were not tested: a skip is easily overlooked."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if harness.missing and reporter:
        names = ", ".join(sorted(harness.missing))
        reporter.write_line(f"NOT TESTED, because missing here: {names}", red=True, bold=True)


@pytest.fixture(autouse=True)
def _connections_are_left_alone(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request within a test without a database does not look at the connection that another
    test has opened in this process: Django would, and pytest-django refuses."""
    if "db" not in request.fixturenames and request.node.get_closest_marker("django_db") is None:
        monkeypatch.setattr(BaseDatabaseWrapper, "close_if_unusable_or_obsolete", lambda self: None)


@pytest.fixture(autouse=True)
def _prefix_is_left_alone() -> Iterator[None]:
    """Django's handlers leave a request's prefix to the next one, which may be another test's."""
    before = get_script_prefix()
    yield
    set_script_prefix(before)
