"""One reading as a whole: everything wrong at once, and nothing wrong with a fresh project."""

from __future__ import annotations

import pickle

import pytest

from django_deploykit.config.introspect import require
from django_deploykit.exceptions import FactsError
from tests.introspect.conftest import Read
from tests.introspect.looking import facts, ids


def test_all_errors_are_reported_together(read: Read) -> None:
    """A missing fact does not hide that others are missing too."""
    found = read(
        WSGI_APPLICATION=None,
        ALLOWED_HOSTS=[],
        FORCE_SCRIPT_NAME="app",
        STATIC_ROOT=None,
        STATICFILES_DIRS=[__file__.rpartition("/")[0]],
        MEDIA_ROOT="/",
        MEDIA_URL="/media/",
        DEPLOYKIT={"SITE": {"HOST": [], "ROUTES": "/"}, "DEPLOYMENT": {"threads": "many"}},
    )
    expected = {"E001", "E002", "E003", "E004", "E006", "E008", "E009", "E018"}
    assert {one for one in ids(found) if one.startswith("E")} == expected
    with pytest.raises(FactsError) as raised:
        require(found)
    assert raised.value.findings == found.errors
    assert len(str(raised.value).splitlines()) == len(found.errors)


def test_facts_without_error(read: Read) -> None:
    """What is right is handed out."""
    assert require(read()) == facts(read())


def test_facts_travel_between_processes(read: Read) -> None:
    """SITES are read in other processes: facts, findings and their error can be sent."""
    found = read(WSGI_APPLICATION=None)
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301 - our own bytes
    error = pickle.loads(pickle.dumps(FactsError(found.errors)))  # noqa: S301 - our own bytes
    assert error.findings == found.errors


def test_reading_changes_nothing(read: Read) -> None:
    """Two readings of the same settings are equal."""
    assert read(ALLOWED_HOSTS=["*"]) == read(ALLOWED_HOSTS=["*"])
