"""What the tests of introspection share: settings without any fault, and a way to read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from django_deploykit.config.introspect import Introspection, introspect

if TYPE_CHECKING:
    from pytest_django import Settings

Read = Callable[..., Introspection]


@pytest.fixture
def collected(tmp_path: Path) -> Path:
    """A STATIC_ROOT with a collected file."""
    directory = tmp_path / "static"
    directory.mkdir()
    (directory / "style.css").touch()
    return directory


@pytest.fixture
def read(settings: Settings, collected: Path) -> Read:
    """Read the settings of the test run, which have no fault, with others on top."""

    def read(**overrides: Any) -> Introspection:
        for name, value in {"STATIC_ROOT": str(collected), **overrides}.items():
            setattr(settings, name, value)
        return introspect()

    return read


@pytest.fixture
def site(read: Read) -> Read:
    """The same, with keys of DEPLOYKIT['SITE']."""
    return lambda **keys: read(DEPLOYKIT={"SITE": keys})
