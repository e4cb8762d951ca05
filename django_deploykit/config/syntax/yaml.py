"""YAML as a target: plain data in, lines out, one spelling for each value.

Block style, two blanks for a level. A text is written bare only if YAML 1.1 and 1.2 both read a
text there; every other one is quoted, with escapes that both know (yaml.org/spec/1.2.2, 7.3.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django_deploykit.config.syntax.nodes import Comment, Node, directive
from django_deploykit.config.syntax.printer import Line
from django_deploykit.exceptions import UnrepresentableValue

_BARE = re.compile(r"[A-Za-z][A-Za-z0-9/._-]*")
# What YAML 1.1 reads as something else than a text.
_WORDS = {"y", "yes", "n", "no", "on", "off", "true", "false", "null"}
# Line breaks of YAML 1.1, and the mark of a file's begin: readable only as an escape.
_ESCAPED = {**{ord(one): f"\\{one}" for one in '"\\'}, 0x2028: "\\u2028", 0x2029: "\\u2029"}
_ESCAPED[0xFEFF] = "\\uFEFF"
# Surrogates stand for bytes that are no text; the rest is outside of YAML's characters.
_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Because:
    """A value with the reason why it stands there, and the setting that it came from."""

    value: Value
    why: str
    setting: str = ""


Value = str | int | bool | Because | Mapping[str, "Value"] | Sequence["Value"]


def yaml_lines(head: str, *documents: Mapping[str, Value]) -> tuple[Line, ...]:
    """The documents below a comment. Raise UnrepresentableValue, naming the setting, for a text
    with control characters, or that is none."""
    lines = [Line(f"# {head}", Comment(head))]
    for document in documents:
        lines += [Line("---", None), *_mapping(document, "")]
    return tuple(lines)


def _mapping(mapping: Mapping[str, Value], setting: str) -> Iterator[Line]:
    for key, value in mapping.items():
        plain, node, origin = _opened(key, value, setting)
        if isinstance(plain, str | int) or not plain:
            yield Line(f"{key}: {_scalar(plain, origin)}", node)
        else:
            yield Line(f"{key}:", node)
            yield from _indented("  ", "  ", _collection(plain, origin))


def _sequence(values: Sequence[Value], setting: str) -> Iterator[Line]:
    for value in values:
        plain, node, origin = _opened("-", value, setting)
        if isinstance(plain, str | int) or not plain:
            yield Line(f"- {_scalar(plain, origin)}", node)
        else:
            yield from _indented("- ", "  ", _collection(plain, origin))


def _collection(value: Value, setting: str) -> Iterator[Line]:
    if isinstance(value, Mapping):
        return _mapping(value, setting)
    assert isinstance(value, Sequence)  # noqa: S101 - for the type checker: no scalar gets here
    return _sequence(value, setting)


def _opened(key: str, value: Value, setting: str) -> tuple[Value, Node | None, str]:
    """A value without its reason, the node that has the reason, and the setting."""
    if not isinstance(value, Because):
        return value, None, setting
    node = directive(key, why=value.why, setting=value.setting)
    return value.value, node, value.setting or setting


def _indented(first: str, others: str, lines: Iterator[Line]) -> Iterator[Line]:
    for number, line in enumerate(lines):
        yield Line(f"{others if number else first}{line.text}", line.node)


def _scalar(value: Value, setting: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _text(value, setting)
    return "{}" if isinstance(value, Mapping) else "[]"


def _text(text: str, setting: str) -> str:
    if _REFUSED.search(text):
        reason = "control characters, and bytes that are no text, are not for a manifest"
        raise UnrepresentableValue(text, "YAML", reason, setting)
    if _BARE.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return f'"{text.translate(_ESCAPED)}"'
