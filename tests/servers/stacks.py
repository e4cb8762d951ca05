"""The stacks that the behaviour suite runs, by name; each holds the whole table."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

from django_deploykit.config.registry import renderers
from django_deploykit.config.servers.apache import installed
from tests.servers import harness

FRONTS = ("apache", "haproxy", "lighttpd", "nginx")

# Which application servers are proved behind which gateway.
BEHIND = {
    "http": ("granian", "gunicorn", "twisted", "uvicorn", "uwsgi"),
    "uwsgi": ("uwsgi",),
    "fastcgi": ("flup", "uwsgi"),
    "scgi": ("flup", "uwsgi"),
    "fcgid": ("flup",),
    "cgi": ("cgi",),
}


# What some stacks run besides, and which tests run it there: tests/servers/test_areas.py.
BESIDE = ("authorizer",)
# Fronts that refuse some of them.
FEW_BEHIND = {"haproxy": ("granian", "gunicorn", "twisted", "uvicorn")}
# What is proved at the root alone: below a prefix, others show what this front does.
AT_THE_ROOT = ("haproxy/http/granian", "haproxy/http/twisted")

# A cell of the table of stacks: front server, gateway and application server.
Cell = tuple[str, str, str]


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
    def of_one_process(self) -> tuple[str, ...]:
        """The same, where one process of the application has to answer every request."""
        return tuple(word.replace("processes=2", "processes=1") for word in self.arguments)

    @property
    def cell(self) -> Cell:
        """Its place in the table of stacks."""
        front = self.target if self.has_front else "none"
        behind = "Apache itself" if self.has_front else self.target
        return (front, self.gateway, self.app_server or behind)

    @property
    def is_apache(self) -> bool:
        return self.target == "apache"

    @property
    def has_front(self) -> bool:
        """Tell whether a web server stands in front, and not an application server alone."""
        return self.target in FRONTS

    @property
    def serves_files(self) -> bool:
        """Tell whether the web server in front sends files by itself."""
        return self.has_front and self.target != "haproxy"

    @property
    def scripts_send_files(self) -> bool:
        """Tell whether the emitted script sends static files: not to an ASGI server."""
        return not self.serves_files and self.app_server not in ("granian", "uvicorn")

    @property
    def has_several_sites(self) -> bool:
        """Tell whether it serves several sites at once."""
        return self.has_front and self.gateway != "mod_wsgi-embedded"


@dataclass(frozen=True)
class Site:
    """Where example_project is served: by a stack, at the root of the host or below a prefix."""

    stack: Stack
    prefix: str

    def __str__(self) -> str:
        return f"{self.stack}-{'prefix' if self.prefix else 'root'}"


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
        if app_server in FEW_BEHIND.get(front, app_servers)
    ]


def _require_pair(front: str, app_server: str) -> None:
    path = os.environ["PATH"] + ":/usr/sbin"
    harness.require(front, shutil.which({"apache": "apache2"}.get(front, front), path=path))
    modules = {"uwsgi": "pyuwsgi", "cgi": "wsgiref"}
    module = modules.get(app_server, app_server)
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
SITES = [
    Site(stack, prefix)
    for stack in STACKS.values()
    for prefix in ("", "/app")
    if not prefix or stack.label not in AT_THE_ROOT
]


def apache() -> Stack:
    """Apache with whichever mod_wsgi fits this Python, the distribution's first."""
    label = "apache/mod_wsgi"
    stack = STACKS.get(label) or STACKS[f"{label} from the package index"]
    stack.require()
    return stack


def chosen(param: str | Stack) -> Stack:
    """A stack that can run here; a test's parameter "apache" stands for that of ``apache()``."""
    stack = apache() if isinstance(param, str) else param
    stack.require()
    return stack


def fronts() -> list[Stack]:
    """One stack of each front that has an application server behind it, for what the front does."""
    found = {stack.target: stack for stack in reversed(_proxied()) if stack.gateway == "http"}
    return [found[target] for target in sorted(found)]


def proxying(target: str, *gateways: str) -> list[Stack]:
    """One stack for each of these gateways of a front, for what is said over them."""
    found = {stack.gateway: stack for stack in reversed(_proxied()) if stack.target == target}
    return [found[gateway] for gateway in gateways]
