"""What every host logs, and what it takes from a client."""

from __future__ import annotations

from pathlib import Path

from django_deploykit.config.fronts import Group
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache import gateways
from django_deploykit.config.servers.apache.dialect import Version
from django_deploykit.config.syntax.nodes import Node, Raw, directive

_LOG_FORMAT = r'%h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"'
_LOG_DIRECTORY = Path("/var/log/apache2")


def logs(plan: Plan, group: Group) -> list[Node]:
    """Where a host writes what, and how long a request took."""
    directory = plan.deployment.log_directory or _LOG_DIRECTORY
    first_byte = _first_byte(plan)
    times = " %D %^FB" if first_byte else " %D"
    return [
        *first_byte,
        directive(
            "ErrorLog",
            str(directory / f"{group.name}-error.log"),
            setting="log_directory",
            why="Python's tracebacks land in the error log of the host",
        ),
        directive(
            "CustomLog",
            str(directory / f"{group.name}-access.log"),
            _LOG_FORMAT + times,
            setting="log_directory",
            why="the combined format, and microseconds: to the end, and to the first byte",
        ),
    ]


def _first_byte(plan: Plan) -> list[Node]:
    """mod_proxy does not say how long an application took; until the first byte of its answer
    is the nearest that httpd measures."""
    if not gateways.is_proxy(plan) or not Version.of(plan.deployment).at_least(2, 4, 13):
        return []
    why = "the time to the first byte is nearly that of the application"
    return [directive("LogIOTrackTTFB", "On", why=why)]


def timeouts() -> list[Node]:
    """What ends a slow client. The first host of an address decides until a name is known."""
    return [
        directive("Timeout", 60, why="a client that neither sends nor takes a byte is gone"),
        directive(
            "RequestReadTimeout",
            Raw("header=20-40,MinRate=500"),
            Raw("body=20,MinRate=500"),
            why="a client that sends a few bytes a minute may not hold a thread for ever",
        ),
    ]


def limits(plan: Plan) -> list[Node]:
    """What a host refuses before Django sees it."""
    return [
        directive(
            "LimitRequestBody",
            plan.deployment.body_limit,
            setting="body_limit",
            why="a larger upload is refused with 413 before Django sees it",
        ),
    ]


def unsaid() -> list[Node]:
    """What no host tells, be it that of unknown names or one that leads to HTTPS."""
    return [
        directive("TraceEnable", "Off", why="TRACE would echo cookies; Django has no use for it"),
        directive("ServerSignature", "Off", why="error pages need not name versions"),
    ]
