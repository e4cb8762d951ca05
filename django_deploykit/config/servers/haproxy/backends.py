"""Where HAProxy hands requests to, and what it tells one site alone.

Manual: https://docs.haproxy.org/2.6/configuration.html#5
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django_deploykit import contract
from django_deploykit.config import limits
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.fronts import file_name, routes
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.haproxy.dialect import shared_name
from django_deploykit.config.syntax.nodes import (
    Argument,
    Comment,
    Directive,
    Format,
    Node,
    Raw,
    directive,
)
from django_deploykit.config.values import Backend
from django_deploykit.exceptions import UnrepresentableValue

_METHODS = {"least-connections": "leastconn", "round-robin": "roundrobin"}
# Seconds from look to look, and how many of them it takes until one is out, and in again.
_EVERY, _OUT, _IN = 2, 2, 1
_WEBSOCKETS = "websockets"


def sections(plan: Plan) -> list[tuple[Directive, list[Node]]]:
    """A backend for each site and pool, with its application servers."""
    defaults = Raw(f"from {shared_name(file_name(plan))}")
    return [
        (
            directive("backend", shared_name(part.name(site)), defaults, why=_whose(part, site)),
            [
                *_patience(part),
                *_conduct(part, site),
                *_health(part, site),
                *_upgrades(part, site),
                *_told(site),
                *_servers(part, site),
            ],
        )
        for part in plan.each()
        for site in part.sites
    ]


def _whose(plan: Plan, site: SiteFacts) -> str:
    return f"the {'pool' if plan.pool else 'site'} {plan.name(site)!r}"


def _patience(plan: Plan) -> list[Node]:
    """What a pool has in place of the seconds of the defaults."""
    return [
        directive("timeout", name, Raw(f"{value}s"), why=why, setting="request_timeout")
        for name, (value, why) in (patience(plan.deployment) if plan.pool else {}).items()
    ]


def patience(deployment: Deployment) -> dict[str, tuple[int, str]]:
    """How long HAProxy waits for an application server, by the names of its timeouts."""
    seconds = limits.front_timeout(deployment)
    return {
        "queue": (limits.queue_timeout(deployment), "its turn"),
        "server": (seconds, "the application gives up before HAProxy"),
        "tunnel": (seconds, "a websocket on which nobody says anything"),
    }


def warnings(plan: Plan) -> list[str]:
    """What a distribution's own haproxy.cfg says that does not fit."""
    return [
        f"socket: a chroot in haproxy.cfg (Debian: /var/lib/haproxy) keeps HAProxy from "
        f"{str(one.where)!r}. Take it out there{_over_tcp(plan, part)}."
        for part in plan.each()
        for one in part.backends(*part.sites)
        if isinstance(one.where, Path)
    ]


def _over_tcp(plan: Plan, part: Plan) -> str:
    """The other way, where there is one: several sites cannot share an address."""
    if part.pool:
        return f", or use TCP: {part.pool.setting}['socket'] = '127.0.0.1:8001'"
    return "" if len(plan.sites) > 1 else ", or use TCP: --set socket=127.0.0.1:8000"


def _conduct(plan: Plan, site: SiteFacts) -> Iterator[Node]:
    """Who is next, and who is asked when one fails."""
    if not plan.balances:
        yield directive("retries", 0, why="there is one, and no request is sent twice")
        return
    mode, why = _METHODS[plan.deployment.balance], "which application server is next"
    yield directive("balance", mode, why=why, setting="balance")
    why = "what was never sent, or got no answer, is sent to another one"
    yield directive("retries", 2, why=why, setting="backends")
    yield directive("option", Raw("redispatch 1"), why=why, setting="backends")
    yield directive("retry-on", Raw("conn-failure empty-response"), why=why, setting="backends")
    safe = Raw("disable-l7-retry unless { method GET HEAD OPTIONS }")
    why = "what may do something twice is never sent twice"
    yield directive("http-request", safe, why=why, setting="backends")
    yield from _cookie(plan, site)


def _health(plan: Plan, site: SiteFacts) -> Iterator[Node]:
    """The question how an application server is, in the words in which it believes its front."""
    if not plan.deployment.health:
        return
    headers = {
        "Host": site.hosts.names[0].removeprefix(".").replace("*", "localhost"),
        contract.CLIENT_ADDRESS_HEADER: "127.0.0.1",
        contract.SCHEME_HEADER: "https" if site.tls else "http",
        "Connection": "close",
    }
    words: list[Argument] = [Raw("meth GET uri"), site.prefix + plan.deployment.health]
    words.append(Raw("ver HTTP/1.1"))
    for name, value in headers.items():
        words += [Raw(f"hdr {name}"), value]
    yield _turn(plan.deployment)
    why = "with a Host that Django accepts, and what the front says in every request"
    yield directive("option", "httpchk", why="well is what answers so", setting="health")
    yield directive("http-check", Raw("send"), *words, why=why, setting="health")
    # Of HAProxy's own rules none stands before a look: only a Django that was loaded, and had a
    # thread free, can have sent a redirect (PREPEND_WWW, APPEND_SLASH). Kubernetes takes it too.
    expected, why = Raw("expect status 200-399"), "as HealthView, or a redirect of Django's own"
    yield directive("http-check", expected, why=why, setting="health")


def _turn(deployment: Deployment) -> Node:
    """A look waits for a thread like any request, and gets as long for it: busy is not dead. That
    nobody listens shows at once, since a connection has no more than the time between two looks."""
    why = "a look takes its turn among the requests: busy is not dead"
    seconds = Raw(f"{limits.queue_timeout(deployment)}s")
    return directive("timeout", "check", seconds, why=why, setting="request_timeout")


def _cookie(plan: Plan, site: SiteFacts) -> Iterator[Node]:
    if not plan.sticks:
        return
    words = ["insert", "indirect", "nocache", "httponly", *(["secure"] if site.tls else [])]
    # HAProxy itself begins with "path=/"; of several the last one counts (RFC 6265 5.2.4).
    words += ['attr "SameSite=Lax"', *([f'attr "Path={site.prefix}"'] if site.prefix else [])]
    name, why = contract.route_cookie(site.name), "a client stays where it was, while that answers"
    yield directive("cookie", name, *map(Raw, words), why=why, setting="sticky")


def _upgrades(plan: Plan, site: SiteFacts) -> Iterator[Node]:
    """Only for websockets of this site does HAProxy hand on a wish for another protocol, and only
    that one: h2c would be a tunnel, in which a client writes what headers it likes."""
    why, setting = "a connection becomes a websocket where Django takes one", "ASGI_APPLICATION"
    for url in plan.websockets(site):
        test = Raw("path_beg" if url.endswith("/") else "path")
        yield directive("acl", Raw(_WEBSOCKETS), test, site.prefix + url, why=why, setting=setting)
    if not plan.websockets(site):
        for name in ("Upgrade", "Connection"):
            yield directive("http-request", Raw(f"del-header {name}"), why=why, setting=setting)
        return
    asks, both = "asks req.hdr(Upgrade) -i -m str websocket", f"{_WEBSOCKETS} asks"
    yield directive("acl", Raw(asks), why="a list of protocols may name others", setting=setting)
    for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade")):
        for words in (f"set-header {name} {value} if {both}", f"del-header {name} unless {both}"):
            yield directive("http-request", Raw(words), why=why, setting=setting)


def _told(site: SiteFacts) -> Iterator[Node]:
    why = "data for the application, in request.META"
    for name, value in site.environ:
        setting = f"DEPLOYKIT['SITE']['ENVIRON'][{name!r}]"
        if value != value.strip():
            reason = "blanks at its ends do not survive"
            raise UnrepresentableValue(value, "a header of HTTP", reason, setting)
        if not value:
            continue  # HAProxy refuses an empty one; the frontend has taken away a client's.
        header = Raw(f"set-header {contract.data_header(name)}")
        yield directive("http-request", header, Format(value), why=why, setting=setting)
    if not site.needs_authorization:
        why = "credentials go no further than somebody reads them"
        word = Raw("del-header Authorization")
        yield directive("http-request", word, why=why, setting="REST_FRAMEWORK")


def _servers(plan: Plan, site: SiteFacts) -> Iterator[Node]:
    bound = dict(routes(plan, site))
    yield Comment("Application servers")
    for number, one in enumerate(plan.backends(site), start=1):
        words: list[Argument] = list(_words(plan, one))
        words += [Raw(f"cookie {number}")] if number in bound else []
        why = "where one listens; what does not answer is out, and comes back by itself"
        setting = "backends" if plan.balances else "socket"
        yield directive("server", f"s{number}", _where(one), *words, why=why, setting=setting)


def _where(backend: Backend) -> str:
    unix = isinstance(backend.where, Path)
    return f"unix@{backend.where}" if unix else str(backend.where)


def _words(plan: Plan, backend: Backend) -> Iterator[Raw]:
    if plan.balances or plan.deployment.health:
        yield Raw(f"check inter {_EVERY}s fall {_OUT} rise {_IN}")
        # Between two looks, requests that do not get through tell as much.
        yield Raw(f"observe layer4 error-limit {limits.BACKEND_FAILURES} on-error mark-down")
    if backend.weight > 1 or backend.role == "drain":
        yield Raw(f"weight {0 if backend.role == 'drain' else backend.weight}")
    if backend.role == "backup":
        yield Raw("backup")
    if backend.role == "down":
        yield Raw("disabled")
