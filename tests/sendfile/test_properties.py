"""Every security property of protected files has a test that carries its number."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.projects import ROOT

PLACES = ("sendfile", "introspect", "servers")
LAST = 25
PAGE = ROOT / "docs" / "explanation" / "protected-files.md"


def _carried() -> Iterator[int]:
    """The numbers in the names and docstrings of tests."""
    for place in PLACES:
        for path in sorted((ROOT / "tests" / place).glob("test_*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    said = f"{node.name.upper()} {ast.get_docstring(node) or ''}"
                    yield from _numbers(said.replace("_", " "))


def _numbers(text: str) -> Iterator[int]:
    yield from map(int, re.findall(r"\bS(\d{1,2})\b", text))


def test_every_property_has_its_tests() -> None:
    """From the first number to the last, none is without."""
    assert sorted(set(_carried())) == list(range(1, LAST + 1))


def test_every_property_is_on_the_page() -> None:
    """The page that promises them names the same ones."""
    rows = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| S")]
    assert sorted(number for row in rows for number in _numbers(row)) == list(range(1, LAST + 1))
