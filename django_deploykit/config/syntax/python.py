"""Python as a target: short fixed text in which every value is written by ``repr()``."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import Any

from django_deploykit.config.syntax.printer import Line

_PLACE = re.compile(r"<<(\w+)>>")


def python_lines(text: str, **values: Any) -> tuple[Line, ...]:
    """Fill ``<<name>>`` in ``text`` with the ``repr`` of each value; check that it compiles."""
    source = _PLACE.sub(lambda match: repr(values[match[1]]), dedent(text).strip("\n"))
    compile(source, "<emitted>", "exec")
    return tuple(Line(line, None) for line in source.splitlines())
