"""What nginx's directives for a gateway are called: the same ones, under other first words."""

from __future__ import annotations

from django_deploykit.config.plan import Plan
from django_deploykit.config.syntax.nodes import Argument, Node, directive

# With what the names of a gateway's directives begin.
WORDS = {"http": "proxy_", "uwsgi": "uwsgi_", "fastcgi": "fastcgi_", "scgi": "scgi_"}


def header(name: str, value: Argument, why: str, setting: str = "") -> Node:
    """Say a header to an application server over HTTP; an empty one is not sent."""
    return directive("proxy_set_header", name, value, why=why, setting=setting)


def parameter(plan: Plan, name: str, *value: Argument, why: str = "", setting: str = "") -> Node:
    """A parameter of a gateway that is not HTTP, in place of a header that makes the same."""
    why = why or "the request as CGI names it (RFC 3875)"
    return directive(f"{WORDS[plan.gateway]}param", name, *value, why=why, setting=setting)


def say(plan: Plan, name: str, *values: Argument, why: str, setting: str = "") -> Node:
    """How nginx deals with an application server: a directive that each gateway has."""
    return directive(f"{WORDS[plan.gateway]}{name}", *values, why=why, setting=setting)
