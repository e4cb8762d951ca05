"""The gateways of mod_proxy: HTTP, uwsgi, FastCGI or SCGI to an application server.

Manual: https://httpd.apache.org/docs/2.4/mod/mod_proxy.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from django_deploykit import contract
from django_deploykit.config import path_hosts
from django_deploykit.config.facts import Mount, SiteFacts
from django_deploykit.config.fronts import check_sockets, groups
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache import protected, workers
from django_deploykit.config.servers.apache.dialect import Version, grant
from django_deploykit.config.syntax import apache
from django_deploykit.config.syntax.nodes import (
    Comment,
    Format,
    Glob,
    Node,
    Raw,
    block,
    directive,
)
from django_deploykit.exceptions import ChoiceError, UnrepresentableValue

# What can store a body before anybody in the application waits for it.
STORES_BODIES = ("http", "fastcgi")

# mod_proxy_http and mod_proxy_uwsgi pass this header on; these make no parameter of it.
_HOLD_BACK_AUTHORIZATION = ("fastcgi", "scgi")

# From here on mod_proxy_http upgrades a connection when the application agrees to it, and not
# before (CVE-2019-17567).
_UPGRADES_SINCE = (2, 4, 47)

# A name with more underscores has too many spellings as a header to remove each of them.
_MOST_UNDERSCORES = 4

# Whatever a client names in Connection, mod_proxy_http would take away after it was set here.
_NAMED_IN_CONNECTION = r"(?i)(?<![^,;\s])(?!(?:close|keep-alive)(?:[,;\s]|$))[^,;\s]+"


def check(plan: Plan) -> None:
    """Refuse an httpd that is too old, and choices that belong to mod_wsgi."""
    version, needed = Version.of(plan.deployment), workers.SPEAKS[plan.gateway].since
    if not version.at_least(*needed):
        oldest = ".".join(map(str, needed))
        raise ChoiceError(
            f"gateway {plan.gateway!r}: needs Apache {oldest}, not {version}. "
            "Use gateway 'mod_wsgi'."
        )
    if len(plan.sites) > 1 and plan.deployment.isolation == "interpreters":
        raise ChoiceError(
            f"gateway {plan.gateway!r}: each site has an application server of its own; "
            "isolation='interpreters' is for gateway 'mod_wsgi'."
        )
    check_sockets(plan)


def server_level(plan: Plan) -> list[Node]:
    """Nothing: every rule belongs to a host."""
    return []


def warnings(plan: Plan) -> list[str]:
    return [
        *path_hosts.warnings(plan),
        *_shared_files(plan),
        *_without_upgrade(plan),
        *workers.warnings(plan),
    ]


def _without_upgrade(plan: Plan) -> list[str]:
    if _can_upgrade(plan) or not any(plan.websockets(site) for site in plan.sites):
        return []
    needed = ".".join(map(str, _UPGRADES_SINCE))
    return [
        f"websockets get through Apache from {needed} on: what there was before "
        "(mod_proxy_wstunnel) let any other request through unseen behind the first one."
    ]


def _shared_files(plan: Plan) -> list[str]:
    """Access rules hold for a host, so that the sites of one are not kept apart by them."""
    if not _sends_by_itself(plan) and not protected.uses_module(plan):
        return []
    found = [[one.name for one in group.sites if one.protected] for group in groups(plan.sites)]
    return [
        f"{' and '.join(names)}: these sites share their hosts, and each can name the protected "
        "files of the others. Use another gateway, or hosts of their own."
        for names in found
        if len(names) > 1
    ]


def modules(plan: Plan) -> set[str]:
    protocol = workers.SPEAKS[plan.gateway].module
    found = {protocol.partition("_")[0], protocol}  # The family's own module, and the protocol's.
    found |= workers.modules(plan)
    if plan.gateway in STORES_BODIES:
        found.add("buffer")
    if plan.gateway in _HOLD_BACK_AUTHORIZATION and any(
        site.needs_authorization for site in plan.sites
    ):
        found.add("setenvif")
    return found


def packages(plan: Plan) -> tuple[str, ...]:
    return ()


def hygiene(plan: Plan, sites: tuple[SiteFacts, ...]) -> list[Node]:
    """Take away what only a proxy may say, in every spelling that would arrive."""
    names: Iterable[str] = contract.CLIENT_FORBIDDEN_HEADERS
    remark = "(Spellings with an underscore never reach Django: Apache makes no parameter of them.)"
    if plan.gateway == "http":
        data = [contract.data_header(name) for site in sites for name, _ in site.environ]
        names = [spelling for name in (*names, *data) for spelling in _spellings(name)]
        remark = "Application servers read '_' in the name of a header as '-', so both are here."
    why = "a client could claim another address, scheme, prefix, identity or data with it"
    return [
        Comment(f"Only a proxy may say these things, and this server is the edge.\n{remark}"),
        *(
            directive("RequestHeader", "unset", name, "early", why=why)
            for name in dict.fromkeys(names)
        ),
        *(_connection() if plan.gateway == "http" else []),
    ]


def _spellings(name: str) -> list[str]:
    """The name with every choice of dashes and underscores between its words."""
    first, *others = name.split("-")
    return [
        first + "".join(mark + word for mark, word in zip(marks, others, strict=True))
        for marks in product("-_", repeat=len(others))
    ]


def _connection() -> list[Node]:
    why = "what a client names in Connection would be taken away after it was set here"
    edit = Raw(apache.quoted(_NAMED_IN_CONNECTION))
    return [directive("RequestHeader", "edit*", "Connection", edit, Raw('""'), "early", why=why)]


def mount(plan: Plan, sites: tuple[SiteFacts, ...], own: Sequence[str]) -> list[Node]:
    """The rules that hand URLs to the application servers, longest first.

    Those that Apache answers itself have to be named before: mod_proxy is asked before Alias.
    """
    upgraded = {(url, site): yes for site in sites for url, yes in _upgraded(plan, site).items()}
    mounted = sorted(upgraded, key=lambda pair: (-len(pair[0]), pair[0]))
    kept = [url for url in own if any(_lies_below(url, mount) for mount, _ in mounted)]
    why = "answered by Apache itself: mod_proxy is asked before Alias"
    return [
        *_marker(plan),
        directive("ProxyRequests", "Off", why="this is no proxy for everybody"),
        *_protocol(plan, sites),
        *(directive("ProxyPass", url, Raw("!"), why=why) for url in kept),
        *_bare_prefixes(sites),
        *workers.groups(plan, sites, upgraded.values()),
        *(
            workers.passed(plan.at(site, url), site, url, upgrade=upgraded[url, site])
            for url, site in mounted
        ),
    ]


def _marker(plan: Plan) -> list[Node]:
    """No client may write the host into the path, in any spelling: <Location> sees the path
    decoded, with single slashes and without dots."""
    marker, setting, why = plan.deployment.vhost_path, "vhost_path", path_hosts.DENIED
    if not marker:
        return []
    refusal = directive("Redirect", 404, "/", why=why, setting=setting)
    denied = path_hosts.pattern(marker)
    return [block("LocationMatch", denied, children=[refusal], why=why, setting=setting)]


def _can_upgrade(plan: Plan) -> bool:
    return Version.of(plan.deployment).at_least(*_UPGRADES_SINCE)


def _upgraded(plan: Plan, site: SiteFacts) -> dict[str, bool]:
    """The URLs of ``_urls``, and those of websockets within them; True where a connection may
    become a websocket."""
    urls = _urls(site)
    sockets = [site.prefix + url for url in plan.websockets(site)] if _can_upgrade(plan) else []
    inner = [socket for socket in sockets if any(_is_within(socket, url) for url in urls)]
    return {
        **{url: any(_is_within(url, socket) for socket in sockets) for url in urls},
        **dict.fromkeys(inner, True),
    }


def _is_within(url: str, mount: str) -> bool:
    return url == mount or _lies_below(url, mount)


def _urls(site: SiteFacts) -> list[str]:
    """At and below which URLs a site answers. Without a slash at the end, the URL itself too."""
    routes = [site.prefix + route.rstrip("/") for route in site.routes]
    pools = [pool.url.rstrip("/") for pool in site.pools]
    return list(dict.fromkeys([*(routes or [f"{site.prefix}/"]), *pools]))


def _bare_prefixes(sites: tuple[SiteFacts, ...]) -> list[Node]:
    """A prefix without its slash below another site: Apache redirects, that site is not asked."""
    why = "the redirect to the slash is Apache's, not the affair of the site above"
    inner = [site.prefix for site in sites if site.prefix and not site.routes]
    outer = [url for site in sites for url in _urls(site)]
    return [
        directive("ProxyPassMatch", f"^{apache.regex(prefix)}$", Raw("!"), why=why)
        for prefix in sorted(inner)
        if any(_lies_below(prefix, url) for url in outer)
    ]


def _lies_below(url: str, mount: str) -> bool:
    return url.startswith(f"{mount.rstrip('/')}/")


def _protocol(plan: Plan, sites: tuple[SiteFacts, ...]) -> list[Node]:
    """What differs from protocol to protocol, apart from the name."""
    if plan.gateway == "http":
        return [*_http(plan), *_bodies(plan)]
    if plan.gateway == "fastcgi":
        why = "plain CGI names; the other kinds rewrite SCRIPT_FILENAME for PHP"
        return [directive("ProxyFCGIBackendType", "GENERIC", why=why), *_bodies(plan)]
    return _scgi(plan, sites) if plan.gateway == "scgi" else []


# Neither proxy-scgi-pathinfo nor proxy-fcgi-pathinfo is set. With them PATH_INFO would be encoded,
# and cut out of a decoded URL: "/app/a%20b/" becomes SCRIPT_NAME "/app/a b" and PATH_INFO
# "/a%20b/". Without them SCRIPT_NAME has the whole decoded path, which the script splits.


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
    sendable = sites if _sends_by_itself(plan) else ()
    if len(sites) > 1 or not any(site.protected for site in sendable):
        why = "no header of Django's opens a file here"
        nodes.append(directive("ProxySCGISendfile", "Off", why=why))
    return [*nodes, *(_sendable(plan, mount) for site in sendable for mount in site.protected)]


def _sendfile(plan: Plan, site: SiteFacts) -> list[Node]:
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
    limit = plan.deployment.body_limit
    why = "LimitRequestBody does not hold here: a larger upload is refused with 413"
    refusal = directive("RedirectMatch", 413, "^", why=why, setting="body_limit")
    test = f"%{{HTTP:Content-Length}} -gt {limit}"
    return [
        block("If", test, children=[refusal], why=why, setting="body_limit"),
        directive("SetEnv", "proxy-sendcl", 1, why="a body is stored, and measured, first"),
        directive(
            "SetInputFilter",
            Raw("BUFFER"),
            why="so is one with a length: a client that sends it slowly holds no worker",
        ),
    ]


def request_environment(plan: Plan, sites: tuple[SiteFacts, ...]) -> list[Node]:
    """Over HTTP the client's address and scheme; elsewhere parameters of CGI carry both."""
    if plan.gateway != "http":
        return []
    told = {contract.CLIENT_ADDRESS_HEADER: "REMOTE_ADDR", contract.SCHEME_HEADER: "REQUEST_SCHEME"}
    nodes: list[Node] = [
        Comment("For request.META: what the connection is, in place of what a client says.")
    ]
    why = "the application believes this header, which no client can write"
    for header, variable in told.items():
        value = Raw(f'"expr=%{{{variable}}}"')
        nodes.append(directive("RequestHeader", "set", header, value, why=why))
    return nodes


def site_variables(plan: Plan, site: SiteFacts) -> list[Node]:
    """Data for one application alone, under names that no client can write."""
    tell = _header if plan.gateway == "http" else _parameter
    data = [
        tell(name, value, f"DEPLOYKIT['SITE']['ENVIRON'][{name!r}]") for name, value in site.environ
    ]
    sending = _sendfile if _sends_by_itself(plan) else protected.sending
    return [*data, *_authorization(plan, site), *sending(plan, site)]


def _sends_by_itself(plan: Plan) -> bool:
    """Tell whether mod_proxy_scgi sends protected files; everything else does it better."""
    modules = protected.uses_module(plan) or protected.redirects(plan)
    return plan.gateway == "scgi" and not modules


def _parameter(name: str, value: str, setting: str) -> Node:
    why = "data for the application, in request.META"
    return directive("SetEnv", name, value, why=why, setting=setting)


def _header(name: str, value: str, setting: str) -> Node:
    if value != value.strip():
        reason = "blanks at its ends do not survive"
        raise UnrepresentableValue(value, "a header of HTTP", reason, setting)
    if name.count("_") > _MOST_UNDERSCORES:
        raise ChoiceError(
            f"{setting}: over HTTP this name becomes a header, which has too many spellings. "
            f"Use at most {_MOST_UNDERSCORES} underscores, or another gateway."
        )
    header, why = contract.data_header(name), "data for the application, in request.META"
    return directive("RequestHeader", "set", header, Format(value), why=why, setting=setting)


def _authorization(plan: Plan, site: SiteFacts) -> list[Node]:
    if not site.needs_authorization:
        why = "credentials go no further than somebody reads them"
        header = "Authorization"
        return [directive("RequestHeader", "unset", header, why=why, setting="REST_FRAMEWORK")]
    if plan.gateway not in _HOLD_BACK_AUTHORIZATION:
        return []
    why = "the project reads the Authorization header, which Apache otherwise keeps back"
    parameter = Raw('"HTTP_AUTHORIZATION=$1"')
    return [
        directive(
            "SetEnvIf",
            "Authorization",
            "^(.+)$",
            parameter,
            why=why,
            setting="REST_FRAMEWORK",
        )
    ]
