"""What a configuration text is made of, whatever its grammar: directives, blocks, comments.

The kind of an argument is its type, so that quoting is decided once, by the dialect, when the
tree is printed. A plain ``str`` is always literal data.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Raw:
    """Syntax of the server itself; only ever from our own source, never from a setting."""

    text: str


@dataclass(frozen=True)
class Option:
    """A ``key="value"`` argument."""

    key: str
    value: str | int


@dataclass(frozen=True)
class Format:
    """Literal text for a directive that expands ``%`` formats."""

    text: str


@dataclass(frozen=True)
class Glob:
    """A literal path for a directive that expands ``*``, ``?`` and ``[...]``."""

    text: str


@dataclass(frozen=True)
class Substitution:
    """The target of a regular expression: literal strings, and group numbers as ``int``."""

    parts: tuple[str | int, ...]


Argument = str | int | Raw | Option | Format | Glob | Substitution


@dataclass(frozen=True)
class Comment:
    """A remark for the reader of the file."""

    text: str


@dataclass(frozen=True)
class Directive:
    """One statement, with the setting it came from and the reason it stands there."""

    name: str
    args: tuple[Argument, ...]
    why: str
    setting: str


@dataclass(frozen=True)
class Block(Directive):
    """A statement that encloses others."""

    children: tuple[Node, ...]


Node = Comment | Directive


def directive(name: str, *args: Argument, why: str, setting: str = "") -> Directive:
    """Make a directive; ``setting`` names where its values came from, for messages."""
    return Directive(name, args, why, setting)


def block(name: str, *args: Argument, children: list[Node], why: str, setting: str = "") -> Block:
    """Make a block around ``children``."""
    return Block(name, args, why, setting, tuple(children))
