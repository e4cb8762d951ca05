"""Printing a tree of nodes: indentation, the node behind each line, and errors with a setting."""

from __future__ import annotations

import pytest

from django_deploykit.config.servers.apache.dialect import dialect
from django_deploykit.config.syntax.nodes import Comment, Node, block, directive
from django_deploykit.config.syntax.printer import print_lines
from django_deploykit.exceptions import UnrepresentableValue

LEAF = directive("Require", "all", "granted", why="anybody", setting="STATIC_ROOT")
BAD = directive("SetEnv", "KEY", "a\nb", why="", setting="ENVIRON['KEY']")


def nested(*children: Node) -> Node:
    """Two blocks around ``children``."""
    inner = block("Directory", "/srv", children=list(children), why="", setting="OTHER")
    return block("VirtualHost", "x:80", children=[inner], why="", setting="ANOTHER")


def test_children_are_indented_by_their_depth() -> None:
    """Each block indents what it encloses by four spaces, comments included."""
    printed = [line.text for line in print_lines([nested(Comment("why"), LEAF)], dialect)]
    assert printed == [
        "<VirtualHost x:80>",
        "    <Directory /srv>",
        "        # why",
        "        Require all granted",
        "    </Directory>",
        "</VirtualHost>",
    ]


def test_each_line_knows_its_node() -> None:
    """``--explain`` finds the reason and the setting of a line; a closing line has none."""
    outer = nested(LEAF)
    nodes = [line.node for line in print_lines([outer], dialect)]
    assert nodes[0] is outer
    assert nodes[2] is LEAF
    assert nodes[3:] == [None, None]


def test_nothing_is_printed_for_no_nodes() -> None:
    """An empty tree is an empty text."""
    assert list(print_lines([], dialect)) == []


@pytest.mark.parametrize(
    "nodes", [[BAD], [LEAF, BAD], [nested(BAD)]], ids=["top", "second", "deep"]
)
def test_an_error_names_the_setting_of_the_very_directive(nodes: list[Node]) -> None:
    """The setting in an error is that of the refused value, not of a block around it."""
    with pytest.raises(UnrepresentableValue) as caught:
        list(print_lines(nodes, dialect))
    assert caught.value.setting == "ENVIRON['KEY']"
    assert caught.value.value == "a\nb"
    assert caught.value.__cause__ is None
    assert "Refused" not in str(caught.value)


def test_a_value_of_a_block_is_refused_under_its_setting() -> None:
    """The argument of a block is a value like any other."""
    node = block("Directory", "${x}", children=[LEAF], why="", setting="STATIC_ROOT")
    with pytest.raises(UnrepresentableValue, match="from STATIC_ROOT cannot be written"):
        list(print_lines([node], dialect))
