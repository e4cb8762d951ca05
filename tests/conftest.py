"""Options and the last line of the whole suite."""

from __future__ import annotations

import pytest

from tests.servers import harness


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Rewrite tests/golden/.")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Say below everything else which servers were not tested: a skip is easily overlooked."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if harness.missing and reporter:
        names = ", ".join(sorted(harness.missing))
        reporter.write_line(f"NOT TESTED, because missing here: {names}", red=True, bold=True)
