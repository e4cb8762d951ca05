"""How nginx's dialect spells each kind of argument, and what it refuses.

What nginx makes of these spellings is asked of nginx itself: tests/servers/test_nginx_values.py.
"""

from __future__ import annotations

import re

import pytest

from django_deploykit.config.servers.nginx.dialect import dialect
from django_deploykit.config.syntax import nginx
from django_deploykit.config.syntax.nodes import (
    Argument,
    Comment,
    Format,
    Glob,
    Node,
    Option,
    Raw,
    block,
    directive,
)
from django_deploykit.config.syntax.printer import print_lines
from django_deploykit.exceptions import UnrepresentableValue
from tests.syntax import hostile


def printed(*nodes: Node) -> list[str]:
    return [line.text for line in print_lines(nodes, dialect)]


def refusal(argument: Argument, name: str = "name") -> UnrepresentableValue:
    """The error that an argument of a directive ``name`` raises."""
    with pytest.raises(UnrepresentableValue) as caught:
        printed(directive(name, argument, why="", setting="SOME_SETTING"))
    return caught.value


@pytest.mark.parametrize(
    ("argument", "spelled"),
    [
        ("", '""'),
        ("/srv/site", "/srv/site"),
        (" ", '" "'),
        ("/srv/my site/", '"/srv/my site/"'),
        ('say "hi"', r'"say \"hi\""'),
        ("it's", '"it\'s"'),
        ("C:\\", r'"C:\\"'),
        (r"a\nb", r'"a\\nb"'),
        ("#1", '"#1"'),
        ("a;b", '"a;b"'),
        ("{a}", '"{a}"'),
        ("100%", '"100%"'),
        ("/srv/bücher/日本", '"/srv/bücher/日本"'),
        (404, "404"),
        (Raw("$host"), "$host"),
        (Option("from", "/srv/site"), "from=/srv/site"),
        (Option("from", "/srv/my site"), '"from=/srv/my site"'),
        (Glob("/srv/my site/a.conf"), '"/srv/my site/a.conf"'),
    ],
)
def test_each_kind_of_argument_has_one_spelling(argument: Argument, spelled: str) -> None:
    """An argument is bare where that is plainly safe, else quoted."""
    assert printed(directive("name", argument, why="")) == [f"name {spelled};"]


@pytest.mark.parametrize("make", [str, Glob, lambda value: Option("key", value)])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("$host", "variable"),
        ("a$", "variable"),
        ("a\nreturn 200;", "control character"),
        ("a\rb", "control character"),
        ("a\tb", "control character"),
        ("\0", "control character"),
        ("\x7f", "control character"),
        ("\udcff", "UTF-8"),
        ("a" * 4095, "longer than 4094"),
        ("é" * 2048, "longer than 4094"),
        ('"' * 2048, "longer than 4094"),
    ],
    ids=repr,
)
def test_what_nginx_cannot_read_back_is_refused(make: type, value: str, reason: str) -> None:
    """The message names the value, the reason and the setting."""
    error = refusal(make(value))
    assert reason in error.reason
    assert error.setting == "SOME_SETTING"


@pytest.mark.parametrize("value", ["/a*", "/a?", "/[a]", "/a\\b"])
def test_a_file_to_include_is_no_pattern(value: str) -> None:
    """What would match other files is refused."""
    assert "wildcards" in refusal(Glob(value), "include").reason


def test_a_location_knows_no_variables() -> None:
    """There a dollar is one, or ends a pattern."""
    assert printed(directive("location", "/a$b", why="")) == ['location "/a$b";']


def test_an_argument_of_another_grammar_is_a_mistake() -> None:
    """Formats are Apache's."""
    with pytest.raises(TypeError, match="no argument of a directive of nginx"):
        printed(directive("name", Format("%h"), why=""))


def test_blocks_and_comments() -> None:
    """A block is closed by its brace; a comment is a line of its own."""
    inner = directive("return", 404, why="")
    nodes = Comment("First; not {"), block("location", "/", children=[inner], why="")
    assert printed(*nodes) == [
        "# First; not {",
        "location / {",
        "    return 404;",
        "}",
    ]


def test_a_comment_cannot_end() -> None:
    """Control characters have no way into a comment."""
    with pytest.raises(UnrepresentableValue):
        printed(Comment("a\x1bb"))


@pytest.mark.parametrize("value", hostile.some(str.isprintable, 400), ids=repr)
def test_a_pattern_means_exactly_its_text(value: str) -> None:
    """A quoted regular expression matches its own text and nothing longer."""
    assert re.fullmatch(nginx.regex(value), value)
    assert not re.fullmatch(nginx.regex(value), f"{value}x")
