"""Conditions on names: the sites, their logs and limits, and the way from HTTP to HTTPS."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from django_deploykit.config import limits
from django_deploykit.config import tls as guideline
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import Tls
from django_deploykit.config.fronts import Group, exempt_patterns, groups
from django_deploykit.config.path_hosts import each_name, in_path
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.lighttpd import content, gateway, vhost_path
from django_deploykit.config.servers.lighttpd.addresses import certificate, sockets
from django_deploykit.config.servers.lighttpd.dialect import (
    HOST,
    NOTHING,
    SCHEME,
    URL,
    array,
    chain,
    otherwise,
    pair,
    values,
    when,
)
from django_deploykit.config.servers.lighttpd.urls import answers, applications
from django_deploykit.config.syntax.lighttpd import regex
from django_deploykit.config.syntax.nodes import (
    Block,
    Comment,
    Directive,
    Node,
    Raw,
    Substitution,
    directive,
)

_LOG_FORMAT = r'%h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i" %D'
_NO_TARGET = "no other URL belongs to a site"


def conditions(plan: Plan) -> list[Node]:
    """Every condition: addresses, then for each scheme the sites by name, and the refusal."""
    found = sorted(each_name(plan, groups(plan.sites)), key=_breadth)
    secure = [group for group in found if group.tls]
    return [*sockets(plan, secure), *_hosts(plan, found, secure)]


def _breadth(group: Group) -> tuple[bool, bool]:
    """The first condition that holds counts: exact names come before wider ones."""
    return group.hosts.anything, bool(group.hosts.suffixes)


def _hosts(plan: Plan, found: list[Group], secure: list[Group]) -> list[Node]:
    plain = [
        _redirecting(plan, one, one.tls) if one.tls else _site(plan, one, secure=False)
        for one in found
    ]
    if not secure:
        return [*_introduction(found), *_names(found, plain)]
    certificates = len({group.tls for group in secure}) > 1
    encrypted = [_site(plan, one, secure=True, certificates=certificates) for one in secure]
    return [
        Comment("Plain HTTP"),
        when(SCHEME, "http", _names(found, plain), "plain HTTP", test="=="),
        Comment("HTTPS"),
        when(SCHEME, "https", _names(secure, encrypted), "HTTPS", test="=="),
    ]


def _introduction(found: list[Group]) -> list[Node]:
    names = ", ".join(site.name for group in found for site in group.sites)
    return [Comment(f"The site: {names}")]


def _names(found: list[Group], blocks: list[Block]) -> list[Node]:
    """The sites by name; a name that none has ends with 403, and Django is never asked."""
    if any(group.hosts.anything for group in found):
        return chain(blocks)
    why = "unknown host names are refused, and Django is never asked"
    refused = values("url.access-deny", ("",), "every URL", found[0].hosts.setting)
    return chain([*blocks, otherwise([refused], why, found[0].hosts.setting)])


def _pattern(group: Group) -> str:
    """A pattern for the Host header; it captures the name without its port."""
    if group.hosts.anything:
        return r"^(\[[^\]]*\]|[^:]*)(?::\d+)?$"
    exact = [regex(name) for name in group.hosts.exact]
    wide = [rf"(?:[^:/]*\.)?{regex(name[1:])}" for name in group.hosts.suffixes]
    return rf"^({'|'.join([*exact, *wide])})(?::\d+)?$"


def _named(group: Group, children: list[Node], why: str) -> Block:
    inside = [*_without_handlers(children), *children]
    return when(HOST, _pattern(group), inside, why, group.hosts.setting)


def _without_handlers(children: list[Node]) -> list[Node]:
    """Nothing of the host is run by its ending, nor handed on, but for what it says itself."""
    why = "what the server's own configuration runs is not this site's: an upload may be x.php"
    empty = (directive(name, NOTHING, why=why) for name in gateway.HANDLERS.values())
    return _unsaid(empty, children)


def _unsaid(nodes: Iterable[Node], children: Iterable[Node]) -> list[Node]:
    """Those of ``nodes`` whose names ``children`` do not set: where a host has no files, Django's
    own lines stand right there, and a name is set once in a condition."""
    said = {node.name for node in children if isinstance(node, Directive)}
    return [node for node in nodes if isinstance(node, Directive) and node.name not in said]


def _site(plan: Plan, group: Group, *, secure: bool, certificates: bool = False) -> Block:
    names = ", ".join(site.name for site in group.sites)
    own = certificate(group.tls) if certificates and group.tls else []
    answering = answers(plan, group, secure)
    children = [
        *own,
        *_basics(plan, group),
        *_limits(plan),
        *_unsaid(content.response_headers(_group_hsts(group, secure)), answering),
        Comment("The first condition that holds counts."),
        *answering,
        *_include(group),
    ]
    return _named(group, children, f"the site: {names}")


def _group_hsts(group: Group, secure: bool) -> tuple[tuple[str, str, str, str], ...]:
    found = [header for site in group.sites for header in content.hsts(site, secure)]
    return tuple(found[:1])


def _basics(plan: Plan, group: Group) -> list[Node]:
    log = str(log_directory(plan.deployment) / f"{group.name}-access.log")
    why = "whatever the server's own configuration refuses or serves is not this site's"
    return [
        directive("server.document-root", content.NOWHERE, why=_NO_TARGET),
        directive("url.access-deny", NOTHING, why=why),
        content.unsent(),
        *_own_errors(),
        directive(
            "static-file.disable-pathinfo",
            "enable",
            why="a path that goes on behind a file is none; the default since 1.4.80",
        ),
        directive("accesslog.filename", log, why="one log for each host", setting="log_directory"),
        directive(
            "accesslog.format", _LOG_FORMAT, why="the combined format, and microseconds spent"
        ),
        directive("server.tag", "lighttpd", why="answers need not name versions"),
    ]


def _own_errors() -> list[Node]:
    """No error leads to another URL, as to that of a CMS. Measured: mod_setenv works once for a
    request. It has chosen the headers of a file, and would clean nothing of what Django gets."""
    why = "whatever is missing, its own answer is sent, and Django is not asked in its place"
    handlers = ("server.error-handler-404", "server.error-handler")
    return [
        *(directive(name, "", why=why) for name in handlers),
        *(directive(name, NOTHING, why=why) for name in gateway.REWRITES),
    ]


def log_directory(deployment: Deployment) -> Path:
    """Where the logs are, unless told otherwise: as Debian's package has it."""
    return deployment.log_directory or Path("/var/log/lighttpd")


def _limits(plan: Plan) -> list[Node]:
    kibibytes = -(-plan.deployment.body_limit // 1024)
    # An answer that has begun, and pauses, ends by it as well (connections.c, max_write_idle).
    patience = max(limits.front_timeout(part.deployment) for part in plan.each())
    return [
        directive(
            "server.max-request-size",
            kibibytes,
            why="KiB; a larger upload is refused with 413 before Django sees it",
            setting="body_limit",
        ),
        directive(
            "server.stream-request-body", 0, why="a slow upload does not hold an application thread"
        ),
        directive(
            "server.stream-response-body",
            1,
            why="an answer is sent as it is written, and kept for a slow client",
        ),
        directive("server.max-read-idle", 60, why="a client that sends nothing is gone"),
        directive(
            "server.max-write-idle",
            max(60, patience),
            why="a client that takes nothing is gone; after the application, which may pause",
            setting="request_timeout",
        ),
        directive("server.max-keep-alive-idle", 5, why="an idle connection costs a descriptor"),
    ]


def _include(group: Group) -> list[Node]:
    why = "your own directives, which are never touched"
    return [
        Comment("Your own directives (Debian: in /etc/lighttpd), if there are any."),
        directive("include", Raw(f'"deploykit/{group.name}/*.conf"'), why=why),
    ]


def _redirecting(plan: Plan, group: Group, tls: Tls) -> Block:
    port = plan.deployment.tls_listen[0].port
    suffix = "" if port == 443 else f":{port}"
    why = "the name that the condition has checked; the path and the query as they came"
    target = pair(
        "",
        Substitution(("https://", 1)),
        Raw(f'"{suffix}${{url.path}}${{qsa}}"'),
        why=why,
        setting=group.hosts.setting,
    )
    children = [
        *_basics(plan, group),
        *_limits(plan),
        array("url.redirect", [target], why, group.hosts.setting),
        *chain([_acme(tls), *_exempt(plan, group)]),
    ]
    return _named(group, children, "plain HTTP leads to HTTPS")


def _acme(tls: Tls) -> Block:
    why = "certificate authorities ask over plain HTTP (ACME http-01, RFC 8555 8.3)"
    url = "/.well-known/acme-challenge/"
    directory = content.unlinked(tls.acme_webroot)
    entry = pair(url, f"{directory}{url}", why=why, setting=guideline.SETTING)
    children = [
        directive("url.redirect", NOTHING, why=why),
        array("alias.url", [entry], why, guideline.SETTING),
        content.sent(),
        directive(
            "server.follow-symlink",
            "disable",
            why="whoever may write answers there shows no other file by a link",
            setting=guideline.SETTING,
        ),
    ]
    return when(URL, f"^{regex(url)}.", children, why, guideline.SETTING)


def _exempt(plan: Plan, group: Group) -> list[Block]:
    patterns = [pattern for site in group.sites for pattern in exempt_patterns(site, group)]
    if not patterns:
        return []
    ordered = sorted(group.sites, key=lambda site: (-len(site.prefix), site.name))
    plan = in_path(plan, group, secure=False)
    why = "these paths stay on plain HTTP"
    children = [
        directive("url.redirect", NOTHING, why=why),
        *chain([*vhost_path.denied(plan), *applications(plan, ordered, False)]),
    ]
    return [when(URL, f"^/(?:{'|'.join(patterns)})", children, why, "SECURE_REDIRECT_EXEMPT")]
