"""How Apache's dialect spells each kind of argument, and what it refuses.

What httpd makes of these spellings is asked of httpd itself: tests/servers/test_apache_values.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_deploykit.config.servers.apache.dialect import dialect
from django_deploykit.config.syntax import apache
from django_deploykit.config.syntax.nodes import (
    Argument,
    Comment,
    Format,
    Glob,
    Node,
    Option,
    Raw,
    Substitution,
    block,
    directive,
)
from django_deploykit.config.syntax.printer import print_lines
from django_deploykit.exceptions import UnrepresentableValue
from tests.syntax import hostile


def printed(*nodes: Node) -> list[str]:
    return [line.text for line in print_lines(nodes, dialect)]


def refusal(argument: Argument, name: str = "Name") -> UnrepresentableValue:
    """The error that an argument of a directive ``name`` raises."""
    with pytest.raises(UnrepresentableValue) as caught:
        printed(directive(name, argument, why="", setting="SOME_SETTING"))
    return caught.value


@pytest.mark.parametrize(
    ("argument", "spelled"),
    [
        ("", '""'),
        ("/srv/site", "/srv/site"),
        ("example.com:80", "example.com:80"),
        ("On", "On"),
        (" ", '" "'),
        ("/srv/my site/", '"/srv/my site/"'),
        ('say "hi"', r'"say \"hi\""'),
        ("it's", '"it\'s"'),
        ("C:\\", r'"C:\\"'),
        (r"\"", r'"\\\""'),
        ("#1", '"#1"'),
        ("a>", '"a>"'),
        ("$HOME {x} $", '"$HOME {x} $"'),
        ("%{HTTP_HOST}", '"%{HTTP_HOST}"'),
        ("/srv/bücher/日本", '"/srv/bücher/日本"'),
        ("a" * 8192, "a" * 8192),
        (404, "404"),
        (-1, "-1"),
        (Raw('"%{SERVER_NAME}"'), '"%{SERVER_NAME}"'),
        (Option("processes", 2), 'processes="2"'),
        (Option("home", '/srv/a "b"'), r'home="/srv/a \"b\""'),
        (Option("lang", ""), 'lang=""'),
        (Format("nosniff"), "nosniff"),
        (Format("100%"), '"100%%"'),
        (Format("%{HOME}e"), '"%%{HOME}e"'),
        (Format(r"a\nb"), r'"a\\\\nb"'),
        (Format("an expr=x"), '"an expr=x"'),
        (Glob("/srv/my site"), '"/srv/my site"'),
        (Glob("/srv/~"), '"/srv/~"'),
        (Substitution(("/srv/site/wsgi.py", 1)), '"/srv/site/wsgi.py$1"'),
        (Substitution(("/a$1&b\\", 2)), r'"/a\\$1\\&b\\\\$2"'),
        (Substitution(("/100%1/", 1)), r'"/100\\%1/$1"'),
    ],
)
def test_each_kind_of_argument_has_one_spelling(argument: Argument, spelled: str) -> None:
    """An argument is bare where that is plainly safe, else quoted by the rule of its kind."""
    assert printed(directive("Name", argument, why="")) == [f"Name {spelled}"]


@pytest.mark.parametrize("name", ["RewriteCond", "RewriteRule"])
@pytest.mark.parametrize(
    ("argument", "spelled"),
    [
        ("-f", "-f"),
        (r"^/a\.b/(.+)$", r'"^/a\.b/(.+)$"'),
        (r"\s \\", r'"\s \\"'),
        (Substitution(("/srv/my site/", 1, ".br")), '"/srv/my site/$1.br"'),
        (Substitution(("/100%1$1&\\/", 1)), r'"/100\%1\$1\&\\/$1"'),
    ],
)
def test_mod_rewrite_gets_backslashes_as_they_are(
    name: str, argument: Argument, spelled: str
) -> None:
    """mod_rewrite does not take backslashes away, so that none is doubled for the quotes."""
    assert printed(directive(name, argument, why="")) == [f"{name} {spelled}"]


@pytest.mark.parametrize("make", [str, Format, Glob, lambda value: Option("key", value)])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("${HOME}", "variable"),
        ("a${", "variable"),
        ("a\nRequire all granted", "control character"),
        ("a\r", "control character"),
        ("a\tb", "control character"),
        ("a\0b", "control character"),
        ("\x7f", "control character"),
        ("\udcff", "UTF-8"),
        ("a" * 8193, "longer than 8192"),
        ("é" * 4097, "longer than 8192"),
    ],
    ids=repr,
)
def test_what_no_argument_can_carry_is_refused(make: type[Format], value: str, reason: str) -> None:
    """The error names the value, the grammar, the reason and the setting."""
    error = refusal(make(value))
    assert (error.value, error.dialect) == (value, "Apache httpd's configuration")
    assert reason in error.reason
    assert error.setting == "SOME_SETTING"
    assert repr(value) in str(error)
    assert str(error).endswith("Choose another value for SOME_SETTING.")


@pytest.mark.parametrize(
    ("name", "argument", "value", "reason"),
    [
        ("Header", Format("expr=%{REQUEST_URI}"), "expr=%{REQUEST_URI}", "starts an expression"),
        ("Header", Format("EXPR=1"), "EXPR=1", "starts an expression"),
        ("Header", Format("100%\n"), "100%\n", "control character"),
        ("Directory", Glob("/srv/*"), "/srv/*", "wildcards"),
        ("Directory", Glob("/srv/a?"), "/srv/a?", "wildcards"),
        ("Directory", Glob("/srv/[a]"), "/srv/[a]", "wildcards"),
        ("Directory", Glob("/srv/a\\"), "/srv/a\\", "wildcards"),
        ("Files", Glob("~"), "~", "announces a regular expression"),
        ("AliasMatch", Substitution(("/a", 1, "/${x}")), "/${x}", "variable"),
        ("AliasMatch", Substitution(("/$", "{x}")), r"/\${x}", "variable"),
        ("RedirectMatch", Substitution(("/a?b", 1)), "/a?b", "end the path of a URL"),
        ("RewriteRule", Substitution(("/a#b", 1)), "/a#b", "end the path of a URL"),
        ("RewriteCond", Substitution(('/a"b', 1)), '/a"b$1', "double quote"),
        ("RewriteRule", '^/a"$', '^/a"$', "double quote"),
        ("RewriteRule", "^/${x}", "^/${x}", "variable"),
    ],
)
def test_what_a_place_cannot_carry_is_refused(
    name: str, argument: Argument, value: str, reason: str
) -> None:
    """A kind of argument refuses what is special in its place, and shows the value."""
    error = refusal(argument, name)
    assert (error.value, error.setting) == (value, "SOME_SETTING")
    assert reason in error.reason


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("/static/", "/static/"),
        ("robots.txt", r"robots\.txt"),
        ("a b#c", r"a b\#c"),
        ("(?x)^$", r"\(\?x\)\^\$"),
        ("${HOME}", r"\$\{HOME\}"),
        ("a\\", "a\\\\"),
        ('"', r"\""),
        ("é日", "é日"),
    ],
)
def test_regex_makes_text_literal(text: str, escaped: str) -> None:
    """Whatever means something to PCRE, or to the quotes around it, is escaped."""
    assert apache.regex(text) == escaped


@given(st.text())
@settings(derandomize=True)
def test_regex_matches_its_own_text_only(text: str) -> None:
    """An escaped text matches itself, and nothing that is longer or in another case."""
    pattern = re.compile(apache.regex(text))
    assert pattern.fullmatch(text)
    assert not pattern.fullmatch(f"{text}x")
    assert bool(pattern.fullmatch(text.swapcase())) is (text == text.swapcase())


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Static files", ["# Static files"]),
        ("", ["#"]),
        ("one\ntwo", ["# one", "# two"]),
        ("path C:\\", ["# path C:"]),
        ("path \\ \\ ", ["# path"]),
        ("\\", ["#"]),
        ("not # nested", ["# not # nested"]),
    ],
)
def test_a_comment_never_reaches_the_next_line(text: str, lines: Sequence[str]) -> None:
    """A comment that ended in a backslash would swallow the directive below it."""
    assert printed(Comment(text), directive("ServerName", "a", why="")) == [
        *lines,
        "ServerName a",
    ]


@pytest.mark.parametrize("text", ["a\0b", "\x1b[31m", "${HOME}", "\udcff"])
def test_a_comment_with_unspeakable_text_is_an_error_of_ours(text: str) -> None:
    """No internal exception escapes: a comment is refused like any other value."""
    with pytest.raises(UnrepresentableValue, match="a comment"):
        printed(Comment(text))


@pytest.mark.parametrize(
    ("argument", "opening"),
    [
        (Glob("/srv/my site"), '<Directory "/srv/my site">'),
        (Glob("/srv/a>b>"), '<Directory "/srv/a>b>">'),
        (Glob("/srv/site/"), "<Directory /srv/site/>"),
    ],
)
def test_a_block_is_closed_by_its_name_alone(argument: Argument, opening: str) -> None:
    """The argument of a block stands in its opening line, and only there."""
    inner = directive("Require", "all", "granted", why="")
    assert printed(block("Directory", argument, children=[inner], why="")) == [
        opening,
        "    Require all granted",
        "</Directory>",
    ]


@pytest.mark.parametrize("name", ["SetEnv", "RewriteCond"])
@pytest.mark.parametrize("make", [str, Format, Glob, lambda value: Substitution((value, 1))])
def test_one_argument_is_one_line_with_its_quotes_closed(name: str, make: type[Format]) -> None:
    """No value of thousands breaks out: neither of its line, nor of its quotes, nor into ``${``."""
    accepted = 0
    for value in hostile.values():
        try:
            (text,) = printed(directive(name, make(value), why="", setting="SOME_SETTING"))
        except UnrepresentableValue:
            continue
        accepted += 1
        argument = text.removeprefix(f"{name} ")
        inside = '[^"]' if name == "RewriteCond" else r'[^"\\]|\\["\\]'
        assert re.fullmatch(rf'[A-Za-z0-9_./:@*+-]+|"(?:{inside})*"', argument), (value, text)
        assert "${" not in argument
        assert argument.isprintable() or not value.isprintable()
    assert accepted > 1000
