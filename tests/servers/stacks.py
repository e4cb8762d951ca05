"""The stacks that the behaviour suite runs, by name; each holds the whole table."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

from django_deploykit.config.servers.apache import installed
from django_deploykit.config.stack import renderers
from tests.servers import harness

FRONTS = ("apache", "lighttpd", "nginx")

# Which application servers are proved behind which gateway.
BEHIND = {
    "http": ("gunicorn", "uwsgi", "uvicorn", "granian"),
    "uwsgi": ("uwsgi",),
    "fastcgi": ("uwsgi",),
    "scgi": ("uwsgi",),
}


@dataclass(frozen=True)
class Stack:
    """A stack and how to ask ``deployrun`` for it."""

    label: str
    target: str
    gateway: str
    choices: tuple[str, ...]
    require: Callable[[], None]
    app_server: str = ""

    def __str__(self) -> str:
        return self.label

    @property
    def arguments(self) -> tuple[str, ...]:
        chosen = [word for choice in self.choices for word in ("--set", choice)]
        behind = ("--app-server", self.app_server) if self.app_server else ()
        gateway = "--gateway", self.gateway
        return (self.target, *gateway, *behind, "--set", "processes=2", *chosen)

    @property
    def is_apache(self) -> bool:
        return self.target == "apache"

    @property
    def has_front(self) -> bool:
        """Tell whether a web server stands in front, and not an application server alone."""
        return self.target in FRONTS


def _require_distribution() -> None:
    harness.require_apache()
    harness.require("the distribution's mod_wsgi", installed.distribution_module())


def _require_package() -> None:
    harness.require_apache()
    harness.require("the package index's mod_wsgi", installed.package_module())


def _require_gunicorn() -> None:
    harness.require("gunicorn", importlib.util.find_spec("gunicorn"))


def _distribution_fits() -> bool:
    """Tell whether the distribution's mod_wsgi is for this Python; a missing one is not
    excused here, but skipped or failed by name."""
    python = installed.module_facts(installed.distribution_module())[1]
    return python in (None, sys.version_info[:2])


def _proxied() -> list[Stack]:
    """Every front that is written so far, through every gateway, to what speaks it."""
    return [
        Stack(
            f"{front}/{gateway}/{app_server}",
            front,
            gateway,
            (),
            functools.partial(_require_pair, front, app_server),
            app_server,
        )
        for front in sorted(set(FRONTS) & set(renderers()))
        for gateway, app_servers in BEHIND.items()
        if gateway in renderers()[front].gateways
        for app_server in app_servers
    ]


def _require_pair(front: str, app_server: str) -> None:
    binaries = {"apache": "apache2", "nginx": "nginx", "lighttpd": "lighttpd"}
    path = os.environ["PATH"] + ":/usr/sbin"
    harness.require(front, shutil.which(binaries[front], path=path))
    module = {"uwsgi": "pyuwsgi"}.get(app_server, app_server)
    harness.require(app_server, importlib.util.find_spec(module))


def _stacks() -> list[Stack]:
    found = [
        *_proxied(),
        Stack("apache/mod_wsgi from the package index", "apache", "mod_wsgi", (), _require_package),
        Stack("gunicorn/http", "gunicorn", "http", (), _require_gunicorn),
    ]
    if not _distribution_fits():
        embedded = Stack(
            "apache/mod_wsgi-embedded", "apache", "mod_wsgi-embedded", (), _require_package
        )
        return [*found, embedded]
    choice = (f"mod_wsgi_module={installed.distribution_module()}",)
    return [
        *found,
        Stack("apache/mod_wsgi", "apache", "mod_wsgi", choice, _require_distribution),
        Stack(
            "apache/mod_wsgi-embedded",
            "apache",
            "mod_wsgi-embedded",
            choice,
            _require_distribution,
        ),
    ]


STACKS = {stack.label: stack for stack in _stacks()}


def apache() -> Stack:
    """Apache with whichever mod_wsgi fits this Python, the distribution's first."""
    label = "apache/mod_wsgi"
    stack = STACKS.get(label) or STACKS[f"{label} from the package index"]
    stack.require()
    return stack


def fronts() -> list[Stack]:
    """One stack of each front that has an application server behind it, for what the front does."""
    found = {stack.target: stack for stack in reversed(_proxied()) if stack.gateway == "http"}
    return [found[target] for target in sorted(found)]
