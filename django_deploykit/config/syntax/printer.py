"""Print a tree of nodes in a dialect: the one place where configuration text comes into being."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from django_deploykit.config.syntax.nodes import Argument, Block, Comment, Directive, Node
from django_deploykit.exceptions import UnrepresentableValue

INDENT = "    "


class Refused(Exception):
    """A dialect has no spelling for a value. ``args`` are the value and the reason."""


class Dialect(Protocol):
    """How one grammar spells arguments, statements, blocks and comments."""

    name: str

    def argument(self, argument: Argument, directive: str) -> str: ...

    def comment(self, text: str) -> str: ...

    def statement(self, name: str, arguments: list[str]) -> str: ...

    def opening(self, name: str, arguments: list[str]) -> str: ...

    def closing(self, name: str) -> str: ...


@dataclass(frozen=True)
class Line:
    """A printed line and the node it stands for; a closing line stands for none."""

    text: str
    node: Node | None


def print_lines(nodes: Iterable[Node], dialect: Dialect, depth: int = 0) -> Iterator[Line]:
    """Yield the lines of ``nodes``. Raise UnrepresentableValue naming the setting at fault."""
    indent = INDENT * depth
    before: Node | None = None
    for node in nodes:
        if before and _begins_paragraph(node, before, depth):
            yield Line("", None)
        before = node
        if isinstance(node, Comment):
            for text in node.text.splitlines() or [""]:
                yield Line(indent + _comment(text, dialect), node)
        elif isinstance(node, Block):
            yield Line(indent + _spelt(dialect.opening, node, dialect), node)
            yield from print_lines(node.children, dialect, depth + 1)
            yield Line(indent + dialect.closing(node.name), None)
        else:
            yield Line(indent + _spelt(dialect.statement, node, dialect), node)


def _begins_paragraph(node: Node, before: Node, depth: int) -> bool:
    """A comment, and a block at the top, stands apart from what is above, but for its comment."""
    outermost = depth == 0 and isinstance(node, Block)
    return isinstance(node, Comment) or (outermost and not isinstance(before, Comment))


def _spelt(line: Callable[[str, list[str]], str], node: Directive, dialect: Dialect) -> str:
    """The line that begins a node."""
    try:
        return line(node.name, [dialect.argument(argument, node.name) for argument in node.args])
    except Refused as refusal:
        raise _unrepresentable(refusal, dialect, node.setting) from None


def _comment(text: str, dialect: Dialect) -> str:
    try:
        return dialect.comment(text)
    except Refused as refusal:
        raise _unrepresentable(refusal, dialect, "a comment") from None


def _unrepresentable(refusal: Refused, dialect: Dialect, setting: str) -> UnrepresentableValue:
    value, reason = refusal.args
    return UnrepresentableValue(value, dialect.name, reason, setting)
