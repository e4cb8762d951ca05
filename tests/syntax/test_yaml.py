"""YAML as a target: what a reader gets back is what was written, or it was refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from django_deploykit.config.syntax.nodes import Directive
from django_deploykit.config.syntax.yaml import Because, yaml_lines
from django_deploykit.exceptions import UnrepresentableValue
from tests.syntax import hostile

# A number, a truth, a date or syntax, to one YAML or another.
SURPRISING = [
    *("", "no", "Yes", "ON", "null", "true", "1", "1e3", "0x1f", "1_000", "12:30:45", ".inf", "~"),
    *("2026-11-21", "- a", "a: b", "a #b", "#a", "&a", "*a", "!a", "%a", "@a", "`a", "{}", "="),
]
KEYS = st.sampled_from(["spec", "matchLabels", "app.kubernetes.io/name", "a-b", "x_y"])
CHARACTERS = st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
VALUES = st.recursive(
    st.booleans() | st.integers() | st.text(CHARACTERS, max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def written(*documents: Any) -> str:
    return "".join(f"{line.text}\n" for line in yaml_lines("head", *documents))


def is_refused(text: str) -> bool:
    return bool(re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", text))


@given(st.lists(st.dictionaries(KEYS, VALUES, min_size=1), min_size=1, max_size=2))
@settings(derandomize=True)
def test_nested_values_are_read_back(documents: list[Any]) -> None:
    """Whatever plain data an object holds is read as the same data, in its document."""
    assert list(yaml.safe_load_all(written(*documents))) == documents


def test_hostile_texts_are_read_back_or_refused() -> None:
    """Every text without control characters is read back exactly; every other one is refused,
    with the setting that it came from."""
    texts = hostile.values()
    fine = [text for text in texts if not is_refused(text)]
    assert list(yaml.safe_load(written({"all": fine}))["all"]) == fine
    refused = [text for text in texts if is_refused(text)]
    assert refused
    for text in refused:
        with pytest.raises(UnrepresentableValue, match="from A_SETTING cannot be written in YAML"):
            written({"spec": [{"name": Because(text, "a reason", "A_SETTING")}]})


@pytest.mark.parametrize(
    "text",
    SURPRISING,
)
def test_no_text_becomes_something_else(text: str) -> None:
    """A text that looks like a number, a truth, a date or syntax stays a text."""
    assert yaml.safe_load(written({"key": text, "list": [text]})) == {"key": text, "list": [text]}


def test_a_reason_stands_at_its_line() -> None:
    """--explain finds the reason and the setting of a value, and the text is as without."""
    document = {"spec": {"a": Because(1, "one", "A"), "b": [Because({"c": "d"}, "two", "B")]}}
    lines = yaml_lines("head", document)
    nodes = [line.node for line in lines if isinstance(line.node, Directive)]
    assert [(node.name, node.why, node.setting) for node in nodes] == [("a", "one", "A")]
    assert yaml.safe_load(written(document)) == {"spec": {"a": 1, "b": [{"c": "d"}]}}


def test_a_setting_is_known_below_its_value() -> None:
    """The setting of a list is that of its members, in a message."""
    with pytest.raises(UnrepresentableValue, match="from HOSTS cannot"):
        written({"hosts": Because(["a", "b\n"], "a reason", "HOSTS")})
