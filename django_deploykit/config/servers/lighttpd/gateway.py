"""How lighttpd hands a request to Django, and what it says and keeps back.

Manuals: https://redmine.lighttpd.net/projects/lighttpd/wiki/Mod_proxy, Mod_scgi and Mod_fastcgi.
"""

from __future__ import annotations

from itertools import product

from django_deploykit import contract
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.launcher import locale_variables
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.lighttpd import backends, cgi, protected, vhost_path
from django_deploykit.config.servers.lighttpd.content import hsts, response_headers
from django_deploykit.config.servers.lighttpd.dialect import UPGRADE, URL, array, pair, when
from django_deploykit.config.syntax.lighttpd import regex
from django_deploykit.config.syntax.nodes import Node, Raw, block, directive
from django_deploykit.exceptions import ChoiceError, UnrepresentableValue

CLEANED = "var.deploykit_cleaned"

_MODULES = {
    "http": "mod_proxy",
    "uwsgi": "mod_scgi",
    "fastcgi": "mod_fastcgi",
    "scgi": "mod_scgi",
    "cgi": "mod_cgi",
}
# What runs or hands on a file by its ending, wherever the server's own configuration says so
# (Debian's 15-fastcgi-php), and by which name of each module. Conditions inherit it.
HANDLERS = {
    "mod_fastcgi": "fastcgi.server",
    "mod_cgi": "cgi.assign",
    "mod_scgi": "scgi.server",
    "mod_proxy": "proxy.server",
    "mod_ssi": "ssi.extension",
}
# What asks for another URL where there is no file, wherever the server's own configuration says so.
REWRITER = "mod_rewrite"
REWRITES = ("url.rewrite-if-not-file", "url.rewrite-repeat-if-not-file")
# Every spelling of a header's name is listed, and each dash doubles their number.
_MOST_DASHES = 7
# Seconds, the most that lighttpd takes.
_LONGEST_IDLE = 65535
_NOT_KEPT = "the application server; no connection to it is kept"


def module(plan: Plan) -> str:
    """The module that speaks the gateway's protocol."""
    return _MODULES[plan.gateway]


def cleaned() -> Node:
    """The headers that only a proxy may set, once for all sites."""
    why = "a client could claim another address, scheme, prefix or identity with it"
    names = [name for header in contract.CLIENT_FORBIDDEN_HEADERS for name in spellings(header)]
    return array(f"{CLEANED} :=", [pair(name, "", why=why) for name in names], why)


def spellings(header: str) -> list[str]:
    """Every spelling that an application server takes for the header; lighttpd ignores case.

    In parameters (uwsgi, FastCGI, SCGI, CGI) lighttpd itself writes "_" for all that is no letter
    or digit, such as "X.Real.Ip": too many to be listed. They end where the script begins, which
    removes the key (handlers/behind.py), and at the authorizer (auth/requests.py).
    """
    parts = header.split("-")
    return [
        "".join(map("".join, zip(parts, (*marks, ""), strict=True)))
        for marks in product("-_", repeat=len(parts) - 1)
    ]


def application(plan: Plan, site: SiteFacts, secure: bool) -> list[Node]:
    """Hand a request to the application of ``site``, with what the server says about it."""
    return [
        _request_headers(plan, site),
        *_parameters(plan, site),
        *response_headers((*hsts(site, secure), *protected.hidden(plan, site))),
        *protected.links(plan, site),
        *_backend(plan, site),
        *vhost_path.written(plan),
        *_websockets(plan, site),
    ]


def _request_headers(plan: Plan, site: SiteFacts) -> Node:
    entries: list[Node] = []
    if not site.needs_authorization:
        why = "the project never reads it"
        entries.append(pair("Authorization", "", why=why, setting="REST_FRAMEWORK"))
    if plan.gateway == "http":
        for name, value in site.environ:
            entries += _data(site, name, value)
    why = "an empty value removes a header; mod_proxy then writes its own address and scheme"
    name = "setenv.set-request-header"
    if not entries:
        return directive(name, Raw(CLEANED), why=why)
    return block(name, Raw(CLEANED), children=entries, why=why)


def _data(site: SiteFacts, name: str, value: str) -> list[Node]:
    header, setting = contract.data_header(name), f"DEPLOYKIT['SITE']['ENVIRON'][{name!r}]"
    if header.count("-") > _MOST_DASHES:
        raise ChoiceError(
            f"{site.name}: {setting} has too many underscores to keep every spelling of its "
            "header from clients. Choose a shorter name, or another gateway."
        )
    if value != value.strip():
        reason = "blanks at either end of a header are lost"
        raise UnrepresentableValue(value, "an HTTP header", reason, setting)
    why = "data for the application, in request.META"
    other = [pair(one, "", why="no client may write it") for one in spellings(header)[1:]]
    return [pair(header, value, why=why, setting=setting), *other]


def _parameters(plan: Plan, site: SiteFacts) -> list[Node]:
    """Data for one application alone, under keys that no client can write."""
    locale = locale_variables(plan) if plan.gateway == "cgi" else {}
    if plan.gateway == "http" or not (locale or site.environ):
        return []
    why = "data for the application, in request.META"
    entries = [
        pair(name, value, why=why, setting=f"DEPLOYKIT['SITE']['ENVIRON'][{name!r}]")
        for name, value in site.environ
    ]
    entries += [
        pair(name, value, why="any file name can be stored", setting="locale")
        for name, value in locale.items()
    ]
    return [array("setenv.set-environment", entries, why)]


def _backend(plan: Plan, site: SiteFacts) -> list[Node]:
    if plan.gateway == "cgi":
        return cgi.backend(plan, site)
    kind = module(plan).removeprefix("mod_")
    nodes: list[Node] = [array(f"{kind}.server", [backends.hosts(plan, site)], _NOT_KEPT, "socket")]
    if plan.balances:
        nodes.append(backends.balance(plan, kind))
    if plan.gateway == "uwsgi":
        nodes.append(directive("scgi.protocol", "uwsgi", why="mod_scgi speaks both protocols"))
    return nodes


def _websockets(plan: Plan, site: SiteFacts) -> list[Node]:
    """Where mod_proxy lets a connection become another one, which it does nowhere else."""
    urls = [
        regex(site.prefix + url) + ("" if url.endswith("/") else "$")
        for url in plan.websockets(site)
    ]
    if not urls:
        return []
    why, setting = "the application takes websockets here", "ASGI_APPLICATION"
    upgrade = pair("upgrade", "enable", why=why, setting=setting)
    header = array("proxy.header", [upgrade, *vhost_path.mapped(plan)], why)
    listens = "one who only listens may stay; a websocket that is silent ends by max-write-idle"
    idle = directive("server.max-read-idle", _LONGEST_IDLE, why=listens, setting=setting)
    # A body, which may be expected at the same URL, has to arrive.
    asked = when(UPGRADE, "(?i)websocket", [idle], why, setting)
    return [when(URL, f"^(?:{'|'.join(urls)})", [header, asked], why, setting)]
