"""What differs between the protocols of mod_proxy, apart from the name."""

from __future__ import annotations

from django_deploykit import contract
from django_deploykit.config.facts import Mount, SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache import protected
from django_deploykit.config.servers.apache.dialect import Version, grant
from django_deploykit.config.syntax.nodes import (
    Glob,
    Node,
    Raw,
    block,
    directive,
)

# What can store a body before anybody in the application waits for it.
STORES_BODIES = ("http", "fastcgi")


# Neither proxy-scgi-pathinfo nor proxy-fcgi-pathinfo is set. With them PATH_INFO would be encoded,
# and cut out of a decoded URL: "/app/a%20b/" becomes SCRIPT_NAME "/app/a b" and PATH_INFO
# "/a%20b/". Without them SCRIPT_NAME has the whole decoded path, which the script splits.
def conduct(plan: Plan, sites: tuple[SiteFacts, ...]) -> list[Node]:
    """What differs from protocol to protocol, apart from the name."""
    if plan.gateway == "http":
        return [*_http(plan), *_bodies(plan)]
    if plan.gateway == "fastcgi":
        why = "plain CGI names; the other kinds rewrite SCRIPT_FILENAME for PHP"
        return [directive("ProxyFCGIBackendType", "GENERIC", why=why), *_bodies(plan)]
    return _scgi(plan, sites) if plan.gateway == "scgi" else []


def _scgi(plan: Plan, sites: tuple[SiteFacts, ...]) -> list[Node]:
    """By default mod_proxy_scgi reads a file of this server for "Location: /x" with status 200."""
    why = "a redirect without a host is the client's to follow, not Apache's"
    if protected.redirects(plan) and any(site.protected for site in sites):
        header, off = contract.SCGI_REDIRECT_HEADER, "no path of Django's opens a file here"
        return [
            directive("ProxySCGIInternalRedirect", header, why=why),
            directive("ProxySCGISendfile", "Off", why=off),
        ]
    nodes: list[Node] = [directive("ProxySCGIInternalRedirect", "Off", why=why)]
    sendable = sites if sends_by_itself(plan) else ()
    if len(sites) > 1 or not any(site.protected for site in sendable):
        why = "no header of Django's opens a file here"
        nodes.append(directive("ProxySCGISendfile", "Off", why=why))
    return [*nodes, *(_sendable(plan, mount) for site in sendable for mount in site.protected)]


def sendfile(plan: Plan, site: SiteFacts) -> list[Node]:
    """Only for the URLs of a site that has protected files."""
    if not site.protected:
        return []
    why, setting = "Django decides who may read a protected file, Apache sends it", "PROTECTED"
    header = contract.SENDFILE_HEADER
    return [directive("ProxySCGISendfile", header, why=why, setting=setting)]


def _sendable(plan: Plan, mount: Mount) -> Node:
    """The access rules hold for the file that a response names; no URL leads to it."""
    children = [
        *grant(Version.of(plan.deployment), "no URL leads here", mount.setting),
        directive("Options", "None", why="no symbolic link leads out"),
        directive("AllowOverride", "None", why="no .htaccess is looked for"),
    ]
    why, where = "what Django may name in its header", Glob(str(mount.directory))
    return block("Directory", where, children=children, why=why, setting=mount.setting)


def _http(plan: Plan) -> list[Node]:
    nodes: list[Node] = [
        directive("ProxyPreserveHost", "On", why="Django builds links with the client's Host"),
        directive("ProxyAddHeaders", "Off", why="it would append to what a client says"),
    ]
    if Version.of(plan.deployment).at_least(2, 4, 40):
        why = "Apache answers Expect: 100-continue; uWSGI cannot"
        nodes.append(directive("Proxy100Continue", "Off", why=why))
    return nodes


def _bodies(plan: Plan) -> list[Node]:
    """mod_proxy_http and _fcgi would stream a body of any size once they have 16 KiB of it. Where
    they have to say a length, they store one whose length they cannot be sure of: one that has
    none, or that passes through a filter (mod_proxy_http.c and mod_proxy_fcgi.c)."""
    return [
        too_large(plan, "LimitRequestBody does not hold here: a larger upload is refused with 413"),
        directive("SetEnv", "proxy-sendcl", 1, why="a body is stored, and measured, first"),
        directive(
            "SetInputFilter",
            Raw("BUFFER"),
            why="so is one with a length: a client that sends it slowly holds no worker",
        ),
    ]


def too_large(plan: Plan, why: str) -> Node:
    """413 for a body over the limit. %{HTTP:…} in its place would say "Vary: Content-Length"."""
    refusal = directive("RedirectMatch", 413, "^", why=why, setting="body_limit")
    test = f"req_novary('Content-Length') -gt {plan.deployment.body_limit}"
    return block("If", test, children=[refusal], why=why, setting="body_limit")


def sends_by_itself(plan: Plan) -> bool:
    """Tell whether mod_proxy_scgi sends protected files; everything else does it better."""
    modules = protected.uses_module(plan) or protected.redirects(plan)
    return plan.gateway == "scgi" and not modules
