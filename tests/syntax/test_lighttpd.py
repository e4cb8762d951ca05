"""How lighttpd's dialect spells each kind of argument, and what it refuses.

What lighttpd makes of these spellings is asked of lighttpd itself:
tests/servers/test_lighttpd_values.py.
"""

from __future__ import annotations

import re
from typing import cast

import pytest

from django_deploykit.config.syntax import lighttpd
from django_deploykit.config.syntax.lighttpd import PAIR, VALUE
from django_deploykit.config.syntax.nodes import (
    Argument,
    Comment,
    Glob,
    Node,
    Raw,
    Substitution,
    block,
    directive,
)
from django_deploykit.config.syntax.printer import Dialect, print_lines
from django_deploykit.exceptions import UnrepresentableValue
from tests.syntax import hostile


def printed(*nodes: Node) -> list[str]:
    return [line.text for line in print_lines(nodes, cast(Dialect, lighttpd))]


@pytest.mark.parametrize(
    ("argument", "spelled"),
    [
        ("", '""'),
        ("/srv/my site/", '"/srv/my site/"'),
        ('say "hi"', r'"say \"hi\""'),
        (r"C:\dir", r'"C:\dir"'),
        (r"a\"b", r'"a\\"b"'),
        ("%1 $1 ${x}", '"%1 $1 ${x}"'),
        ("/srv/bücher/日本", '"/srv/bücher/日本"'),
        (404, "404"),
        (Raw("var.types"), "var.types"),
        (Substitution(("https://", 1)), '"https://%1"'),
        (Substitution(("/a%20b$1/",)), '"/a%%20b$$1/"'),
    ],
)
def test_spelling(argument: Argument, spelled: str) -> None:
    """A string stands in double quotes; in a redirect's target % and $ are doubled."""
    assert printed(directive("name", argument, why="")) == [f"name = {spelled}"]


@pytest.mark.parametrize("value", ["C:\\", "\\", "a\nb", "a\rb", "a\0b", "\x7f", "\ud800"])
def test_unspeakable_values_are_refused(value: str) -> None:
    """What no string can hold is refused with the name of the setting."""
    with pytest.raises(UnrepresentableValue) as caught:
        printed(directive("name", value, why="", setting="SOME_SETTING"))
    assert caught.value.setting == "SOME_SETTING"


def test_unknown_kinds_of_arguments_are_a_mistake() -> None:
    """A kind that belongs to another grammar is never printed."""
    with pytest.raises(TypeError, match="no argument of lighttpd"):
        printed(directive("name", Glob("*"), why=""))


def test_statements() -> None:
    """Plain assignment, forced assignment, appending, joined parts, and an include."""
    assert printed(
        directive("a", 1, why=""),
        directive("b :=", "x", why=""),
        directive("c", Raw("var.x"), "y", why=""),
        directive("include", "/etc/x/*.conf", why=""),
        Comment("said"),
    ) == ["a = 1", 'b := "x"', 'c = var.x + "y"', 'include "/etc/x/*.conf"', "", "# said"]


def test_arrays_and_conditions() -> None:
    """Arrays are blocks of pairs or values, and so is an array within an array."""
    inner = block(PAIR, "/", children=[directive(PAIR, "port", 80, why="")], why="")
    value = directive(VALUE, "mod_x", why="")
    assert printed(
        block(
            '$HTTP["url"]',
            Raw("=~"),
            "^/",
            children=[
                block("scgi.server", children=[inner], why=""),
                block("list +=", Raw("var.x"), children=[value], why=""),
            ],
            why="",
        ),
        block("else", children=[directive("a", 1, why="")], why=""),
    ) == [
        '$HTTP["url"] =~ "^/" {',
        "    scgi.server = (",
        '        "/" => ((',
        '            "port" => 80,',
        "        )),",
        "    )",
        "    list += var.x + (",
        '        "mod_x",',
        "    )",
        "}",
        "",
        "else {",
        "    a = 1",
        "}",
    ]


def test_escaped_patterns_match_exactly_their_text() -> None:
    """A pattern made of a literal matches it and nothing else, and never holds a quote."""
    for value in hostile.values():
        if value.isprintable():
            pattern = lighttpd.regex(value)
            assert re.fullmatch(pattern, value)
            assert '"' not in pattern
