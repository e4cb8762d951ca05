"""The gateways of mod_proxy: HTTP, uwsgi, FastCGI or SCGI to an application server.

Manual: https://httpd.apache.org/docs/2.4/mod/mod_proxy.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from django_deploykit import contract
from django_deploykit.config import path_hosts
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.fronts import check_sockets, groups
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache import protected, protocols, workers
from django_deploykit.config.servers.apache.dialect import Version
from django_deploykit.config.syntax import apache
from django_deploykit.config.syntax.nodes import (
    Comment,
    Format,
    Node,
    Raw,
    block,
    directive,
)
from django_deploykit.exceptions import ChoiceError, UnrepresentableValue

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
    if not protocols.sends_by_itself(plan) and not protected.uses_module(plan):
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
    if plan.gateway in protocols.STORES_BODIES:
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
        *protocols.conduct(plan, sites),
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
        directive("ProxyPassMatch", f"^{apache.path_regex(prefix)}$", Raw("!"), why=why)
        for prefix in sorted(inner)
        if any(_lies_below(prefix, url) for url in outer)
    ]


def _lies_below(url: str, mount: str) -> bool:
    return url.startswith(f"{mount.rstrip('/')}/")


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
    sending = protocols.sendfile if protocols.sends_by_itself(plan) else protected.sending
    return [*data, *_authorization(plan, site), *sending(plan, site)]


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
