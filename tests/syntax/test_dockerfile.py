"""Dockerfiles: paths are read back from the arrays, or refused."""

from __future__ import annotations

import json
from io import BytesIO
from typing import cast

import pytest
from dockerfile_parse import DockerfileParser

from django_deploykit.config.syntax import dockerfile
from django_deploykit.config.syntax.nodes import Option, Raw, directive
from django_deploykit.config.syntax.printer import Dialect, print_lines
from django_deploykit.exceptions import UnrepresentableValue
from tests.syntax import hostile

dialect = cast(Dialect, dockerfile)

# What COPY would replace, take for a pattern, or for the end of the line.
LIVE = set("$\\\"'*?[]<>{}`&;|!^\t\n\r\0\x0b\x1b\x7f\x85\u2028\ud800\udcff")


def read(*values: str) -> list[list[str]]:
    """The arguments of COPY as a parser of Dockerfiles finds them."""
    nodes = [directive("COPY", Raw("--from=build"), value, value, why="test") for value in values]
    text = "".join(f"{line.text}\n" for line in print_lines(nodes, dialect))
    structure = DockerfileParser(fileobj=BytesIO(text.encode())).structure
    return [json.loads(one["value"].removeprefix("--from=build ")) for one in structure]


def test_paths_are_read_back() -> None:
    """A path of calm characters, in any script, is the same one in the image."""
    usable = [one for one in hostile.values() if one.isprintable() and not LIVE & set(one)]
    usable = [
        one for one in usable if all(char.isalnum() or char in " /.:@+=,~%()#-_" for char in one)
    ]
    assert len(usable) > 500
    assert read(*usable) == [[one, one] for one in usable]


@pytest.mark.parametrize("live", sorted(LIVE))
def test_live_characters_are_refused(live: str) -> None:
    """What would be replaced, or be a pattern, is refused with the name of its setting."""
    node = directive("COPY", f"a{live}b", why="test", setting="STATIC_ROOT")
    with pytest.raises(
        UnrepresentableValue, match="from STATIC_ROOT cannot be written in a Docker"
    ):
        list(print_lines([node], dialect))


def test_options_and_words_stand_before_the_array() -> None:
    """What is our own text is no member of an array."""
    node = directive("ENV", Option("NAME", "value"), why="test")
    assert [line.text for line in print_lines([node], dialect)] == ["ENV NAME=value"]
