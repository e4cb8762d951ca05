"""The statements on proxies and identity, by number: each has a test, or a reason why not.

T is trust, X the client's address, H scheme and host, P the prefix, V virtual hosts in the path, I
identity. A docstring that begins with a number carries that statement.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = ROOT / "docs/explanation/proxy.md"
STATEMENTS = [
    f"{letter}{number}"
    for letter, last in {"T": 10, "X": 6, "H": 4, "P": 11, "V": 10, "I": 18}.items()
    for number in range(1, last + 1)
]
# Parts of statements that are not built: the first words of their reason.
NOT_BUILT = {
    "T2": "Headers that are signed.",
    "T6": "Both families of headers, if they agree.",
    "X6": "Another answer than 400 to what is malformed.",
    "V5": "Zope's path of an object.",
    "I4": "Names in other encodings than UTF-8.",
    "I7": "A second interval after which a persistent session asks the front again.",
    "I10": "A table of links between names of the front and accounts.",
    "I12": "Groups by distinguished name, and a signal for each change.",
    "I15": "Tokens of Amazon's load balancers.",
    "I16": "Whole certificates, by issuer and number or in a header (RFC 9440).",
}

_CARRIES = re.compile(r"(?:[TXHPVI]\d{1,2}(?:, | and )?)+[.:]")


def _docstrings() -> Iterator[str]:
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield (node.name.startswith("test_") and ast.get_docstring(node)) or ""


CARRIED = {
    number
    for text in _docstrings()
    if (found := _CARRIES.match(text))
    for number in re.findall(r"[A-Z]\d+", found[0])
}


@pytest.mark.parametrize("number", STATEMENTS)
def test_every_statement_is_tested(number: str) -> None:
    """Each number stands before a sentence of the contract that a test proves."""
    assert number in CARRIED


def test_no_other_number_is_claimed() -> None:
    """A number that no statement has is a slip of the pen."""
    assert set(STATEMENTS) >= CARRIED


def test_what_is_left_out_has_a_reason() -> None:
    """The explanation says why, in one paragraph for each part that is not built."""
    written = re.findall(r"^- \*\*(.*?)\*\* \S", LEFT_OUT.read_text(encoding="utf-8"), re.M)
    assert sorted(written) == sorted(NOT_BUILT.values())
    assert set(NOT_BUILT) <= set(STATEMENTS)
