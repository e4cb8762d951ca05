"""Python as a target: values are written by ``repr()`` and come back by running the text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_deploykit.config.syntax.python import python_lines
from tests.syntax import hostile

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


def run(text: str, **values: Any) -> dict[str, Any]:
    """The names that the filled text defines."""
    source = "".join(f"{line.text}\n" for line in python_lines(text, **values))
    names: dict[str, Any] = {}
    exec(compile(source.encode(), "<test>", "exec"), names)  # noqa: S102 - that is the test
    return names


def test_hostile_values_come_back_from_running_the_text() -> None:
    """Every string is read back exactly: quotes, line ends, NUL, lone surrogates, 9 KiB."""
    values = hostile.values()
    text = "\n".join(f"v{number} = <<v{number}>>" for number in range(len(values)))
    names = run(text, **{f"v{number}": value for number, value in enumerate(values)})
    assert [names[f"v{number}"] for number in range(len(values))] == values


@given(VALUES)
@settings(derandomize=True)
def test_nested_values_come_back_from_running_the_text(value: Any) -> None:
    """Whatever plain data a setting holds is written as the same data."""
    assert run("name = <<value>>", value=value)["name"] == value


def test_a_value_is_never_filled_in_again() -> None:
    """A value that looks like a place stays a value."""
    names = run("one, two = <<one>>, <<two>>", one="<<two>>", two="<<one>>")
    assert (names["one"], names["two"]) == ("<<two>>", "<<one>>")


def test_one_value_is_one_line() -> None:
    """No value adds a line, so that line numbers in tracebacks are those of the template."""
    lines = python_lines("before = 1\nname = <<value>>\nafter = 2", value="a\nb\r\x0b\u2028c")
    assert [line.text.partition(" ")[0] for line in lines] == ["before", "name", "after"]


def test_the_text_is_dedented_and_trimmed() -> None:
    """A template is written indented in our source, with empty lines around it."""
    lines = python_lines(
        """

        if True:
            name = <<value>>

        """,
        value=1,
    )
    assert [line.text for line in lines] == ["if True:", "    name = 1"]


def test_no_line_stands_for_a_node() -> None:
    """There is no tree behind a Python target."""
    assert {line.node for line in python_lines("a = <<a>>\nb = 1", a="x")} == {None}


@pytest.mark.parametrize("text", ["name = = 1", "def f(:", "import"])
def test_text_that_does_not_compile_is_never_emitted(text: str) -> None:
    """A mistake in a template is found when it is rendered, not when a server loads it."""
    with pytest.raises(SyntaxError):
        python_lines(text)


def test_a_value_that_has_no_spelling_is_never_emitted() -> None:
    """The ``repr`` of an object that Python cannot read back does not compile."""
    with pytest.raises(SyntaxError):
        python_lines("name = <<value>>", value=object())


def test_a_place_without_a_value_is_an_error() -> None:
    """A misspelt place does not stay in the text."""
    with pytest.raises(KeyError, match="valeu"):
        python_lines("name = <<valeu>>", value=1)
