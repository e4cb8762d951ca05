"""Where lighttpd hands requests to: one application server, or several that share the work.

Manuals: https://redmine.lighttpd.net/projects/lighttpd/wiki/Mod_proxy, Mod_scgi and Mod_fastcgi.
"""

from __future__ import annotations

from pathlib import Path

from django_deploykit.config import limits
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.lighttpd import protected
from django_deploykit.config.servers.lighttpd.dialect import Version, pair
from django_deploykit.config.syntax.lighttpd import ENTRY, LIST, PAIR
from django_deploykit.config.syntax.nodes import Argument, Node, block, directive
from django_deploykit.config.values import Address
from django_deploykit.exceptions import ChoiceError

_MODES = {"least-connections": "least-connection", "round-robin": "round-robin"}
_EVERY_URL = "every URL that comes here"


def check(plan: Plan) -> None:
    """Raise ChoiceError for roles and shares: to lighttpd, all application servers are equal."""
    for one in plan.deployment.backends:
        words = [f"weight={one.weight}"] if one.weight > 1 else []
        words += [one.role] if one.role in ("backup", "drain") else []
        if words:
            raise ChoiceError(
                f"backends: lighttpd has no {words[0]!r} for {str(one.where)!r}: its application "
                "servers are equal, or 'down'. Use target 'apache', 'haproxy' or 'nginx'."
            )


def warnings(plan: Plan) -> list[str]:
    """What stands for a cookie that lighttpd cannot set."""
    if not plan.sticks:
        return []
    return [
        "sticky: lighttpd sets no cookie. It binds a client by its address (balance 'sticky'), so "
        "that all clients behind one proxy share an application server, and one whose address "
        "changes gets another. apache, haproxy and nginx bind by a cookie."
    ]


def hosts(plan: Plan, site: SiteFacts) -> Node:
    """The entry for every URL in ``proxy.server``, ``scgi.server`` or ``fastcgi.server``."""
    key = "" if plan.gateway == "http" else "/"
    entries = [
        [
            *address(one.where, "where the application server listens", "socket"),
            *_path(plan),
            *protected.sending(site),
            *timeouts(plan, _away(plan)),
        ]
        for one in plan.backends(site)
        if one.role != "down"
    ]
    if not plan.balances:
        return block(PAIR, key, children=entries[0], why=_EVERY_URL)
    why = "one of several application servers"
    each: list[Node] = [block(ENTRY, children=one, why=why, setting="backends") for one in entries]
    return block(LIST, key, children=each, why=_EVERY_URL, setting="backends")


def balance(plan: Plan, kind: str) -> Node:
    """Which of several is next, for the module whose directives begin with ``kind``."""
    if plan.sticks:
        why = "a client's address decides; where that server fails, another one answers"
        return directive(f"{kind}.balance", "sticky", why=why, setting="sticky")
    why, mode = "which application server is next", _MODES[plan.deployment.balance]
    return directive(f"{kind}.balance", mode, why=why, setting="balance")


def address(where: Path | Address, why: str, setting: str) -> list[Node]:
    """Where a program listens, as an entry of ``fastcgi.server`` and its like has it."""
    if isinstance(where, Path):
        return [pair("socket", str(where), why=why, setting=setting)]
    return [
        pair("host", where.host, why=why, setting=setting),
        pair("port", where.port, why=why, setting=setting),
    ]


def _path(plan: Plan) -> list[Node]:
    if plan.gateway == "http":
        return []
    why = "the whole path is PATH_INFO; otherwise its first part would be SCRIPT_NAME"
    return [
        pair("check-local", "disable", why="no file has to exist below the document root"),
        pair("fix-root-scriptname", "enable", why=why),
    ]


def timeouts(plan: Plan, away: Node) -> list[Node]:
    """How long lighttpd waits for a program, and for how long it leaves alone one that is away."""
    # Until 1.4.60 lighttpd waits as long as the application server takes.
    if not Version.of(plan.deployment).at_least(1, 4, 60):
        return [away]
    entries: list[tuple[str, Argument, str]] = [
        ("connect-timeout", limits.CONNECT, "it answers at once or is down"),
        ("write-timeout", 60, "it takes no more of a request"),
        (
            "read-timeout",
            limits.front_timeout(plan.deployment),
            "longer than the application server gives a request",
        ),
    ]
    pairs = [pair(name, value, why=why, setting="request_timeout") for name, value, why in entries]
    return [*pairs, away]


def _away(plan: Plan) -> Node:
    if plan.balances:
        why = "the others answer for so long; then it is asked again"
        return pair("disable-time", limits.BACKEND_AWAY, why=why, setting="backends")
    return only_one()


def only_one() -> Node:
    """That a program of which there is no other is asked again at once, if it was away."""
    return pair("disable-time", 0, why="there is no other: it is asked again with the next request")
