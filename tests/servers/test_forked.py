"""Application servers that load the application once, and fork then: what processes may share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import harness, small_projects
from tests.servers.stacks import STACKS

# Twisted answers in threads, which have connections of their own.
FORKING = ["nginx/uwsgi/uwsgi", "nginx/scgi/flup"]

# As an application may that looks something up while it loads.
_SETTINGS = """
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.sqlite3", "NAME": {database!r}, "CONN_MAX_AGE": None
    }}
}}
"""
_WSGI = """
from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

from django.db import connection

connection.ensure_connection()
LOADED = connection.connection
"""
_URLS = """
from django.db import connection
from django.http import JsonResponse
from django.urls import path


def own(request):
    from forked.wsgi import LOADED

    connection.ensure_connection()
    return JsonResponse({"loaded": str(LOADED), "own": str(connection.connection)})


urlpatterns = [path("", own)]
"""


@pytest.mark.parametrize("label", FORKING)
def test_no_connection_to_a_database_is_shared(public: Path, label: str) -> None:
    """Each process would read what another one's queries are answered."""
    stack = STACKS[label]
    stack.require()
    home = public / label.replace("/", "-")
    database = home.with_suffix(".sqlite3")
    database.touch()
    project = small_projects.make(home, {"forked": _SETTINGS.format(database=str(database))})
    (home / "forked" / "wsgi.py").write_text(_WSGI)
    (home / "forked" / "urls.py").write_text(_URLS)
    with harness.deployrun(project, *stack.arguments, "--set", "threads=1") as server:
        for _ in range(4):
            found = server.get("/").json
            assert found["loaded"].startswith("<sqlite3.Connection ")
            assert found["own"].startswith("<sqlite3.Connection ")
            assert found["own"] != found["loaded"]
