"""The rows of the behaviour table: which tests prove each, and where a test does not apply."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType

import pytest

from tests.servers.stacks import Site

# What the modules of the table are named for.
MODULES = "test_behaviour"


def row(number: int) -> pytest.MarkDecorator:
    """Say which row of the table a test proves."""
    return pytest.mark.row(number)


def only_where(applies: Callable[[Site], object], reason: str) -> pytest.MarkDecorator:
    """Leave a test out for sites it does not apply to; ``reason`` says why it does not there."""
    return pytest.mark.only_where(applies, reason)


def applies(test: FunctionType, site: Site) -> bool:
    """Tell whether a test is for this site."""
    return all(where(site) for where, _ in _conditions(test))


def number(test: FunctionType) -> int | None:
    """The row that a test proves, if it is a test of the table."""
    found = [mark.args[0] for mark in _marks(test, "row")]
    return found[0] if found else None


def tests_of_the_table() -> Iterator[FunctionType]:
    """Every test that proves a row, in the modules that are named for it."""
    for info in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if info.name.startswith(MODULES):
            module = importlib.import_module(f"tests.servers.{info.name}")
            for _, test in inspect.getmembers(module, inspect.isfunction):
                if number(test):
                    yield test


def proved(sites: list[Site]) -> set[int]:
    """The rows of which some test applies to one of these sites."""
    tests = [test for test in tests_of_the_table() if any(applies(test, site) for site in sites)]
    return {found for test in tests if (found := number(test))}


def left_out(sites: list[Site]) -> dict[int, list[str]]:
    """By row, why tests of it apply to none of these sites, in the words of the tests."""
    reasons: dict[int, list[str]] = {}
    for test in tests_of_the_table():
        if not any(applies(test, site) for site in sites):
            said = [why for where, why in _conditions(test) if not any(map(where, sites))]
            reasons.setdefault(number(test) or 0, []).extend(said)
    return {key: list(dict.fromkeys(reasons[key])) for key in sorted(reasons)}


def _conditions(test: FunctionType) -> list[tuple[Callable[[Site], object], str]]:
    return [mark.args for mark in _marks(test, "only_where")]


def _marks(test: FunctionType, name: str) -> list[pytest.Mark]:
    return [mark for mark in getattr(test, "pytestmark", []) if mark.name == name]
