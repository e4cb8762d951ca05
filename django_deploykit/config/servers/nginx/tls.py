"""TLS: the guideline, HSTS, and what plain HTTP answers beside it."""

from __future__ import annotations

import re

from django_deploykit.config import tls as guideline
from django_deploykit.config.facts import SiteFacts, Tls
from django_deploykit.config.fronts import Group, exempt_patterns
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.nginx import gateways
from django_deploykit.config.servers.nginx.dialect import Version, own_name, shared_name
from django_deploykit.config.syntax.nodes import Comment, Node, Option, Raw, block, directive

_ADDRESS = re.compile(r"\[.*\]|[0-9.]+")
_ACME_URL = "/.well-known/acme-challenge/"


def certificate(tls: Tls) -> list[Node]:
    why = "the certificate and its chain"
    return [
        directive("ssl_certificate", str(tls.certificate), why=why, setting=guideline.SETTING),
        directive("ssl_certificate_key", str(tls.key), why="its key", setting=guideline.SETTING),
    ]


def rules(plan: Plan) -> list[Node]:
    """What the guideline says; in the first host of an address it decides for all of them."""
    why = guideline.WHY
    curves = guideline.curves(plan.deployment.openssl_version)
    cache = Raw(f"shared:{shared_name(own_name(plan))}:10m")
    return [
        Comment(f"TLS: {why}"),
        directive("ssl_protocols", "TLSv1.2", "TLSv1.3", why=why),
        directive("ssl_ciphers", ":".join(guideline.CIPHERS), why=why),
        directive("ssl_prefer_server_ciphers", "off", why=why),
        directive("ssl_ecdh_curve", ":".join(curves), why=why),
        directive("ssl_session_timeout", Raw("1d"), why=why),
        directive("ssl_session_cache", cache, why=why),
        directive("ssl_session_tickets", "off", why=why),
    ]


def http2(plan: Plan) -> list[Node]:
    """HTTP/2 as a directive of its own; before 1.25.1 it is a word of ``listen``."""
    if not Version.of(plan.deployment).at_least(1, 25, 1):
        return []
    return [directive("http2", "on", why="HTTP/2 where the client speaks it")]


def refusal(plan: Plan, tls: Tls) -> list[Node]:
    """How the host for unknown names meets a handshake.

    A client that asks for an address instead of a name says neither (RFC 6066 3), so that only
    its Host, behind the handshake, tells which host it wants.
    """
    names = [name for site in plan.sites if site.tls for name in site.hosts.names]
    by_name = not any(_ADDRESS.fullmatch(name) for name in names)
    if by_name and Version.of(plan.deployment).at_least(1, 19, 4):
        why = "an unknown name is told nothing, not even a certificate"
        return [*rules(plan), directive("ssl_reject_handshake", "on", why=why)]
    return [*rules(plan), *certificate(tls)]


def hsts(group: Group) -> list[Node]:
    """The header, for each level that has headers of its own."""
    values = [site.headers.hsts for site in group.sites if site.headers.hsts]
    name, setting = "Strict-Transport-Security", "SECURE_HSTS_SECONDS"
    why = "on every answer of this host, errors and static files too"
    return [
        directive("add_header", name, value, "always", why=why, setting=setting)
        for value in values[:1]
    ]


def owned_hsts(plan: Plan, group: Group) -> list[Node]:
    """HSTS for the whole host, and Django's own taken away."""
    own = hsts(group)
    if not own:
        return []
    name, setting = "Strict-Transport-Security", "SECURE_HSTS_SECONDS"
    why = "Django sends it too; the server owns it, so that it comes exactly once"
    return [
        Comment("HSTS has one owner, this server: Django's own is taken away."),
        gateways.hidden_header(plan, name, why, setting),
        *own,
    ]


def acme(tls: Tls) -> list[Node]:
    why = "certificate authorities ask over plain HTTP (ACME http-01, RFC 8555 8.3)"
    answers = tls.acme_webroot / ".well-known" / "acme-challenge"
    children: list[Node] = [
        directive("alias", f"{answers}/", why=why, setting=guideline.SETTING),
        directive("default_type", "text/plain", why="an answer has no ending"),
        directive(
            "disable_symlinks",
            "on",
            Option("from", str(answers)),
            why="whoever may write answers there shows no other file by a link",
            setting=guideline.SETTING,
        ),
    ]
    return [
        Comment("Certificate authorities ask here (ACME http-01)."),
        block(
            "location", Raw("^~"), _ACME_URL, children=children, why=why, setting=guideline.SETTING
        ),
    ]


def exempt(site: SiteFacts, group: Group) -> list[str]:
    """Patterns for the paths of SECURE_REDIRECT_EXEMPT, as nginx sees a path."""
    return [f"^/{pattern}" for pattern in exempt_patterns(site, group)]


def redirect(plan: Plan, group: Group) -> Node:
    port = plan.deployment.tls_listen[0].port
    suffix = "" if port == 443 else f":{port}"
    why = "the name is one of this host's; path and query stay as they came"
    url = Raw(f"https://$host{suffix}$request_uri")
    go = directive("return", 301, url, why=why, setting=group.hosts.setting)
    return block("location", "/", children=[*_no_name(group), go], why="every other path")


def _no_name(group: Group) -> list[Node]:
    """Below a suffix, nginx takes nearly every character for a part of the name. Django does not
    (``django.http.request.host_validation_re``)."""
    if not group.hosts.suffixes:
        return []
    why, setting = "'evil.example?.example.com' would lead to another host", group.hosts.setting
    refusal = directive("return", 400, why=why, setting=setting)
    test = Raw(r'($host !~ "^(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])$")')
    return [block("if", test, children=[refusal], why=why, setting=setting)]
