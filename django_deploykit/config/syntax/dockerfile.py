"""Dockerfiles: an instruction on each line, its arguments as a JSON array wherever it takes one.

Reference: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import json
import re

from django_deploykit.config.syntax.nodes import Argument, Option, Raw
from django_deploykit.config.syntax.printer import Refused

name = "a Dockerfile"

# COPY replaces variables and takes its sources for patterns; both know escapes, but not the same
# ones. A path without any of these needs none.
_LITERAL = re.compile(r"[\w /.:@+=,~%()#-]*")


def argument(argument: Argument, directive: str) -> str:
    if isinstance(argument, Raw):
        return argument.text
    if isinstance(argument, Option):
        return f"{argument.key}={argument.value}"
    text = str(argument)
    if not _LITERAL.fullmatch(text):
        raise Refused(text, "a path of an image is letters, digits, blanks and /.:@+=,~%()#-_")
    return json.dumps(text, ensure_ascii=False)


def comment(text: str) -> str:
    return f"# {text}" if text else "#"


def statement(name: str, arguments: list[str]) -> str:
    """Arguments in JSON form an array; what stands before them (options) does not."""
    array = [text for text in arguments if text.startswith('"')]
    words = [text for text in arguments if not text.startswith('"')]
    return " ".join([name, *words, *([f"[{', '.join(array)}]"] if array else [])])


def opening(name: str, arguments: list[str]) -> str:
    raise NotImplementedError("a Dockerfile has no blocks")


def closing(name: str) -> str:
    raise NotImplementedError("a Dockerfile has no blocks")
