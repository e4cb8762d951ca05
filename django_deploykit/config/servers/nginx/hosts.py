"""Server blocks: names, addresses, logs, limits, and which location answers a URL."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import SiteFacts, Tls
from django_deploykit.config.fronts import Group, groups
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.nginx import (
    areas,
    asking,
    content,
    gateways,
    pools,
    protected,
    stores,
    tls,
    upstreams,
    websockets,
)
from django_deploykit.config.servers.nginx.dialect import own_name, shared_name
from django_deploykit.config.servers.nginx.locations import django, locations, shared_passing
from django_deploykit.config.syntax.nodes import (
    Comment,
    Node,
    Raw,
    block,
    directive,
)
from django_deploykit.config.values import Address

_LOG_FORMAT = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" $request_time $upstream_response_time'
)


def http_level(plan: Plan) -> list[Node]:
    """What stands outside of the server blocks, under names that no other file has."""
    why = "the combined format; seconds spent in all, and by the application"
    return [
        *upstreams.groups(plan),
        *asking.groups(plan),
        *upstreams.route_maps(plan),
        *gateways.host_map(plan),
        *pools.unlike_map(plan),
        *websockets.upgrade_maps(plan),
        *content.maps(plan),
        Comment("Logs"),
        directive("log_format", shared_name(own_name(plan)), Raw(f"'{_LOG_FORMAT}'"), why=why),
    ]


def servers(plan: Plan) -> list[Node]:
    """Every server block: for each address the refusal of other names, then the sites."""
    found = groups(plan.sites)
    nodes = _catch_all(plan, found, None)
    for group in found:
        nodes += _plain(plan, group, group.tls) if group.tls else _host(plan, group)
    secure = [group for group in found if group.tls]
    if secure:
        nodes += _catch_all(plan, found, secure[0].tls)
    for group in secure:
        nodes += _host(plan, group)
    return nodes


def _catch_all(plan: Plan, found: list[Group], certified: Tls | None) -> list[Node]:
    """The first server of an address answers whatever names no other one has."""
    if any(group.hosts.anything for group in found):
        return []
    why = "a name that nobody can have (RFC 6761), and no other file"
    children = [
        *_listen(plan, secure=bool(certified)),
        directive("server_name", Raw(f"{own_name(plan)}.invalid"), why=why),
        *(tls.refusal(plan, certified) if certified else []),
        *_parsing(),
        *_timeouts(),
        directive("return", 403, why="Django is never asked", setting=found[0].hosts.setting),
    ]
    why = "the first server of an address answers unknown names; this one refuses them"
    return [
        Comment("Unknown host names end here, and Django is never asked."),
        block("server", children=children, why=why),
    ]


def _plain(plan: Plan, group: Group, certified: Tls) -> list[Node]:
    """Plain HTTP beside TLS: ACME answers, exempt paths, and a redirect for the rest."""
    exempt = [
        (site, *found)
        for site in group.sites
        for found in pools.patterns(plan, site, tls.exempt(site, group))
    ]
    children = [*_beginning(plan, group, secure=False), *tls.acme(certified)]
    if exempt:
        children += [*pools.seen_alike(plan, group), *shared_passing(plan, group)]
        for site in group.sites:
            children += _only_for_nginx(plan, site)
        children.append(Comment("Some paths stay on plain HTTP (SECURE_REDIRECT_EXEMPT)."))
    for site, pattern, part in exempt:
        why, setting = "no redirect for these paths", "SECURE_REDIRECT_EXEMPT"
        inside = django(part, group, site, secure=False)
        children.append(
            block("location", Raw("~"), pattern, children=inside, why=why, setting=setting)
        )
    children += [Comment("Everything else is on HTTPS."), tls.redirect(plan, group)]
    why = "plain HTTP leads to HTTPS"
    return [
        Comment(f"Plain HTTP for the site: {_names(group)}"),
        block("server", children=children, why=why),
    ]


def _only_for_nginx(plan: Plan, site: SiteFacts) -> list[Node]:
    """What the exempt paths of a site must not open, and what files Django may name at them."""
    if not site.redirect_exempt:
        return []
    closed = areas.closed(plan, site)
    return [*closed, *protected.locations(plan, site, []), *stores.locations(plan, site, [])]


def _host(plan: Plan, group: Group) -> list[Node]:
    children = [
        *_beginning(plan, group, secure=bool(group.tls)),
        *(tls.owned_hsts(plan, group) if group.tls else []),
        *pools.seen_alike(plan, group),
        *shared_passing(plan, group),
        *locations(plan, group),
        *_include(group),
    ]
    return [
        Comment(f"The site: {_names(group)}"),
        block("server", children=children, why="the site"),
    ]


def _names(group: Group) -> str:
    return ", ".join(site.name for site in group.sites)


def _beginning(plan: Plan, group: Group, *, secure: bool) -> list[Node]:
    """Addresses, names, TLS, logs and limits of a host."""
    encrypted: list[Node] = []
    if secure and group.tls:
        encrypted = [*tls.rules(plan), *tls.certificate(group.tls)]
    return [
        *_listen(plan, secure=secure, default=group.hosts.anything),
        _server_name(group),
        *encrypted,
        Comment("Logs and limits"),
        *_logs(plan, group),
        *_parsing(),
        *_timeouts(),
        *_limits(plan),
    ]


def _listen(plan: Plan, *, secure: bool, default: bool = False) -> list[Node]:
    deployment = plan.deployment
    addresses = deployment.tls_listen if secure else deployment.listen
    words = ["ssl"] if secure else []
    if secure and not tls.http2(plan):
        words.append("http2")
    if default:
        words.append("default_server")
    setting = "tls_listen" if secure else "listen"
    everywhere = [one.port for one in addresses if not one.host]
    nodes: list[Node] = [
        directive("listen", Raw(where), *map(Raw, words), why=setting, setting=setting)
        for address in addresses
        if not (_is_every(address) and address.port in everywhere)
        for where in _spellings(address)
    ]
    return [*nodes, *(tls.http2(plan) if secure else [])]


def _is_every(address: Address) -> bool:
    """Whether it is every address of IPv4, or of IPv6, by name: 0.0.0.0 or ::."""
    return bool(address.host) and ipaddress.ip_address(address.host).is_unspecified


def _spellings(address: Address) -> list[str]:
    """Every address means those of IPv6 too, which nginx has to be told."""
    return [str(address)] if address.host else [str(address.port), f"[::]:{address.port}"]


def _server_name(group: Group) -> Node:
    # Validated host names; nginx takes a leading dot for "with and without a subdomain", and
    # ignores it, subdomains and all, behind the same name without a dot.
    hosts = group.hosts
    names = [name for name in hosts.names if f".{name}" not in hosts.suffixes]
    if hosts.anything:
        names = ["_"]
    why = "no other name gets here"
    if group.hosts.anything:
        why = "any name gets here, as ALLOWED_HOSTS says: the default server of its addresses"
    return directive("server_name", *map(Raw, names), why=why, setting=group.hosts.setting)


def _logs(plan: Plan, group: Group) -> list[Node]:
    directory, name = log_directory(plan.deployment), group.name
    return [
        directive(
            "access_log",
            str(directory / f"{name}-access.log"),
            shared_name(own_name(plan)),
            why="one log for each host",
            setting="log_directory",
        ),
        directive(
            "error_log",
            str(directory / f"{name}-error.log"),
            why="nginx's own errors; Python's are in the application server's log",
            setting="log_directory",
        ),
    ]


def log_directory(deployment: Deployment) -> Path:
    """Where logs lie; the default of the choice is another server's."""
    return deployment.log_directory or Path("/var/log/nginx")


def _parsing() -> list[Node]:
    """How a request is read. The first host of an address decides until a name is known."""
    underscores = "'_' and '-' become the same in request.META: a forged name could not be told"
    return [
        directive("underscores_in_headers", "off", why=underscores),
        directive("ignore_invalid_headers", "on", why="other characters have no place in a name"),
        directive("merge_slashes", "off", why="locations see the path that Django sees"),
        directive("server_tokens", "off", why="error pages need not name versions"),
    ]


def _timeouts() -> list[Node]:
    why = "a client that sends nothing for so long is gone"
    return [
        directive("client_header_timeout", Raw("20s"), why="for the whole head of a request"),
        directive("client_body_timeout", Raw("20s"), why=why),
        directive(
            "send_timeout", Raw("60s"), why="a client that takes nothing for so long is gone"
        ),
        directive("keepalive_timeout", Raw("65s"), why="for the next request of the same client"),
    ]


def _limits(plan: Plan) -> list[Node]:
    return [
        directive(
            "client_max_body_size",
            plan.deployment.body_limit,
            setting="body_limit",
            why="a larger upload is refused with 413 before Django sees it",
        ),
        directive("absolute_redirect", "off", why="a redirect of nginx's own stays where it is"),
        directive("sendfile", "on", why="the kernel sends files"),
        directive("tcp_nopush", "on", why="in full packets"),
    ]


def _include(group: Group) -> list[Node]:
    why = "your own directives, which are never touched"
    return [
        Comment("Your own directives; beside nginx.conf (Debian: /etc/nginx), if there are any."),
        directive("include", Raw(f"deploykit/{group.name}/*.conf"), why=why),
    ]
