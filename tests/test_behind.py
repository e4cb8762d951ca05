"""What an application is left to see behind a front that starts a file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from django_deploykit.handlers.behind import behind_front


def seen(gateway: str, prefix: str = "", **environ: str) -> dict[str, Any]:
    """The environ that reaches the application; empty if none does."""
    found: dict[str, Any] = {}

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        found.update(environ)
        return []

    wrapped = behind_front(application, gateway=gateway, prefix=prefix)
    list(wrapped(dict(environ), lambda status, headers: None))
    return found


@pytest.mark.parametrize("gateway", ["cgi", "fcgid"])
@pytest.mark.parametrize(("prefix", "url"), [("", "/site.fcgi"), ("/app", "/app/site.fcgi")])
def test_the_files_own_name_is_not_the_sites(gateway: str, prefix: str, url: str) -> None:
    """A rewritten URL leads through it, and no link of the site may."""
    file = "/home/ada/public_html/site.fcgi"
    found = seen(gateway, prefix, SCRIPT_NAME=url, PATH_INFO="/x", SCRIPT_FILENAME=file)
    assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == (prefix, "/x")


def test_elsewhere_no_name_is_forgotten() -> None:
    """A server that listens is never reached by a file's name."""
    environ = {"SCRIPT_NAME": "/x.fcgi", "PATH_INFO": "/y", "SCRIPT_FILENAME": "/srv/x.fcgi"}
    assert seen("fastcgi", **environ)["PATH_INFO"] == "/x.fcgi/y"
    assert (
        seen("fcgid", **{**environ, "SCRIPT_FILENAME": "/srv/z.fcgi"})["PATH_INFO"] == "/x.fcgi/y"
    )


@pytest.mark.parametrize("name", ["SCRIPT_URL", "REDIRECT_URL"])
def test_a_rewritten_url_decides_nothing(name: str) -> None:
    """Django would take the prefix from it, whatever SCRIPT_NAME says."""
    assert name not in seen("fcgid", SCRIPT_NAME="", PATH_INFO="/x", **{name: "/evil/x"})
