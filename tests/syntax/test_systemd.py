"""How the dialects of units, tmpfiles.d and logrotate spell values, and what they refuse.

What the programs make of it is asked of them: tests/servers/test_systemd_values.py.
"""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_deploykit.config.syntax import logrotate, systemd, tmpfiles
from django_deploykit.config.syntax.nodes import Argument, Comment, Glob, Option, Raw, directive
from django_deploykit.config.syntax.printer import Dialect, print_lines
from django_deploykit.exceptions import UnrepresentableValue


def printed(dialect: object, name: str, *arguments: Argument) -> str:
    node = directive(name, *arguments, why="", setting="SOME_SETTING")
    (line,) = print_lines([node], cast(Dialect, dialect))
    return line.text


@pytest.mark.parametrize(
    ("name", "argument", "text"),
    [
        ("ExecStart", "/srv/my site/python", 'ExecStart=:"/srv/my site/python"'),
        ("ExecStart", 'a"b\\c', 'ExecStart=:"a\\"b\\\\c"'),
        ("ExecStart", "100%", 'ExecStart=:"100%%"'),
        ("ExecStart", "${HOME}", 'ExecStart=:"${HOME}"'),
        ("ExecStart", ";", 'ExecStart=:";"'),
        ("ExecReload", Raw("/bin/kill -s HUP $MAINPID"), "ExecReload=/bin/kill -s HUP $MAINPID"),
        ("Environment", Option("A", "b c"), 'Environment="A=b c"'),
        ("ReadWritePaths", "/srv/my site", 'ReadWritePaths="/srv/my site"'),
        ("WorkingDirectory", '/srv/my "site" 5%', 'WorkingDirectory=/srv/my "site" 5%%'),
        ("EnvironmentFile", Glob("/srv/a b/.env"), "EnvironmentFile=/srv/a b/.env"),
        ("TimeoutStopSec", 75, "TimeoutStopSec=75"),
    ],
)
def test_each_directive_has_its_own_spelling(name: str, argument: Argument, text: str) -> None:
    """Words are quoted, other values are the rest of the line; specifiers are doubled in both."""
    assert printed(systemd, name, argument) == text


@pytest.mark.parametrize(
    ("name", "argument", "reason"),
    [
        ("ExecStart", "a\nb", "control character"),
        ("Environment", Option("A", "\udcff"), "not valid UTF-8"),
        ("WorkingDirectory", "/srv/a\\", "continues it"),
        ("WorkingDirectory", "/srv/a ", "blanks at either end"),
        ("EnvironmentFile", Glob("/srv/*.env"), "wildcards"),
    ],
)
def test_what_cannot_be_written_is_refused(name: str, argument: Argument, reason: str) -> None:
    """The message names the setting and the reason."""
    with pytest.raises(UnrepresentableValue, match=reason) as refusal:
        printed(systemd, name, argument)
    assert refusal.value.setting == "SOME_SETTING"


def unquoted(text: str) -> str:
    """What systemd makes of one quoted word (systemd.syntax(7)), less specifiers."""
    if not text.startswith('"'):
        return text
    inner, found, escaped = text[1:-1], "", False
    for character in inner:
        assert escaped or character != '"', "the word ends early"
        escaped = character == "\\" and not escaped
        found += "" if escaped else character
    assert not escaped, "the quote that ends the word is escaped"
    return found.replace("%%", "%")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1))
def test_a_word_is_one_word(text: str) -> None:
    """Whatever it holds, a word ends where it was meant to, and says what it was."""
    assert unquoted(systemd.word(text)) == text


@given(st.text(min_size=1))
def test_nothing_adds_a_line(text: str) -> None:
    """No value begins another line, nor swallows the next one."""
    for name in ("ExecStart", "WorkingDirectory", "ReadWritePaths"):
        try:
            line = printed(systemd, name, f"/{text}")
        except UnrepresentableValue:
            continue
        assert len(line.split("\n")) == 1
        assert not line.endswith("\\")


def test_lines_of_tmpfiles() -> None:
    """Fields are words as in units."""
    assert printed(tmpfiles, "d", "/run/a b", "2750", "shop", "-") == 'd "/run/a b" 2750 shop -'
    with pytest.raises(TypeError, match="no field"):
        printed(tmpfiles, "d", 5)


@pytest.mark.parametrize("text", ["/a*", "/a{", "/a\\", '/a"', "/a?", "/[a]", "/a\n"])
def test_patterns_of_logrotate(text: str) -> None:
    """What is special in a pattern is refused: logrotate has no way to write it that it keeps."""
    with pytest.raises(UnrepresentableValue, match="SOME_SETTING"):
        printed(logrotate, "x", Glob(text))


def test_what_is_no_argument() -> None:
    """A kind of argument that a grammar does not know is our own mistake."""
    with pytest.raises(TypeError, match="unit file"):
        printed(systemd, "X", cast(Argument, None))
    with pytest.raises(TypeError, match="logrotate"):
        printed(logrotate, "x", "text")


@pytest.mark.parametrize("dialect", [systemd, tmpfiles, logrotate])
def test_comments(dialect: object) -> None:
    """A comment is one line."""
    lines = list(print_lines([Comment("a\nb \\")], cast(Dialect, dialect)))
    assert [line.text for line in lines] == ["# a", "# b \\"]
