"""Which databases are asked over connections, and how many a process opens."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from django_deploykit.config.facts import DatabaseServer
from django_deploykit.config.introspect.context import Context
from django_deploykit.config.introspect.databases import servers
from django_deploykit.config.introspect.files import databases as files

POSTGRESQL = "django.db.backends.postgresql"
ORACLE = "django.db.backends.oracle"


def context(databases: Any) -> Context:
    return Context({}, settings=SimpleNamespace(DATABASES=databases))


@pytest.mark.parametrize(
    ("engine", "options", "pool"),
    [
        (POSTGRESQL, {}, None),
        (POSTGRESQL, {"pool": False}, None),
        (POSTGRESQL, {"pool": True}, 4),
        (POSTGRESQL, {"pool": {"timeout": 3}}, 4),
        (POSTGRESQL, {"pool": {"min_size": 2}}, 2),
        (POSTGRESQL, {"pool": {"min_size": 2, "max_size": 7}}, 7),
        ("django.contrib.gis.db.backends.postgis", {"pool": True}, 4),
        (ORACLE, {"pool": True}, 2),
        (ORACLE, {"pool": {"min": 1, "max": 9}}, 9),
        ("django.db.backends.mysql", {}, None),
    ],
)
def test_the_pool_of_a_process(engine: str, options: Any, pool: int | None) -> None:
    """The size that OPTIONS state, else the driver's own default, else none."""
    databases = {"default": {"ENGINE": engine, "OPTIONS": options}}
    assert servers(context(databases)) == (DatabaseServer(alias="default", server=":", pool=pool),)


def test_what_has_a_server() -> None:
    """Files and dummies have none; databases of one host and port share theirs."""
    databases = {
        "default": {"ENGINE": POSTGRESQL, "HOST": "db", "PORT": 5432, "PASSWORD": "secret"},
        "other": {"ENGINE": POSTGRESQL, "HOST": "db", "PORT": "5432"},
        "far": {"ENGINE": "django.db.backends.mysql", "HOST": "db2"},
        "file": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/srv/db"},
        "places": {"ENGINE": "django.contrib.gis.db.backends.spatialite", "NAME": "/srv/places"},
        "counted": {"ENGINE": "django_prometheus.db.backends.sqlite3", "NAME": "/srv/counted"},
        "dummy": {"ENGINE": "django.db.backends.dummy"},
        "none": {},
    }
    found = {one.alias: one.server for one in servers(context(databases))}
    assert found == {"default": "db:5432", "other": "db:5432", "far": "db2:"}


@pytest.mark.parametrize(
    "engine",
    [
        "django.db.backends.sqlite3",
        "django.contrib.gis.db.backends.spatialite",
        "django_prometheus.db.backends.sqlite3",
    ],
)
def test_what_is_a_file(engine: str) -> None:
    """Whoever wraps SQLite: the file is one that nobody may download, and the service writes."""
    databases = {"default": {"ENGINE": engine, "NAME": "/srv/db"}}
    assert files(context(databases)) == (Path("/srv/db"),)
