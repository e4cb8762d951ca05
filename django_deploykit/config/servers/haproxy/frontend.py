"""What HAProxy takes from clients: addresses, names, URLs, and what a client may not say.

Manual: https://docs.haproxy.org/2.6/configuration.html#4
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django_deploykit import contract
from django_deploykit.config import limits
from django_deploykit.config import tls as guideline
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.fronts import IDLE, Group, exempt_patterns, file_name, groups
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.haproxy import backends
from django_deploykit.config.servers.haproxy.dialect import frontend_name, shared_name
from django_deploykit.config.syntax.haproxy import quoted, regex
from django_deploykit.config.syntax.nodes import (
    Argument,
    Comment,
    Directive,
    Node,
    Raw,
    directive,
)
from django_deploykit.config.values import Address

# A percent sign that begins no escape (RFC 3986 2.1), or that of NUL.
_UNCLEAR = "%(00|[^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)"

_SECURE = "{ ssl_fc }"
# The whole header: req.hdr would take what stands behind a comma for another value, and an
# allowed name before it for the name.
_HOST = "req.fhdr(host)"
# Bytes of names in one pattern: less than a line holds (syntax.haproxy), with what is around them.
_NAMES = 1400


def sections(plan: Plan) -> list[tuple[Directive, list[Node]]]:
    """The defaults of this file alone, and the frontend of all its sites."""
    name, why = shared_name(file_name(plan)), "what holds in this file, and in no other"
    words = frontend_name(file_name(plan)), Raw("from"), name
    return [
        (directive("defaults", name, why=why), _defaults(plan)),
        (directive("frontend", *words, why="the sites"), _frontend(plan)),
    ]


def _defaults(plan: Plan) -> list[Node]:
    waits = backends.patience(plan.deployment).items()
    times = {
        "connect": (limits.CONNECT, "an application server answers at once, or is away", ""),
        "client": (60, "a client that neither sends nor takes a byte is gone", ""),
        "http-request": (20, "for the whole head of a request", ""),
        "http-keep-alive": (65, "for the next request of the same client", ""),
        **{name: (value, why, "request_timeout") for name, (value, why) in waits},
    }
    return [
        directive("mode", "http", why="requests, not connections"),
        directive("log", "global", why="where haproxy.cfg says"),
        directive("option", "httplog", why="the request, its times, and who answered"),
        directive("option", "http-server-close", why=IDLE),
        *(
            directive("timeout", name, Raw(f"{value}s"), why=why, setting=setting)
            for name, (value, why, setting) in times.items()
        ),
    ]


def _frontend(plan: Plan) -> list[Node]:
    found = groups(plan.sites)
    return [
        *_binds(plan, found),
        Comment("Names and URLs"),
        *_names(found),
        *_urls(plan.sites),
        *_pools(plan),
        *_refusals(plan, found),
        *(node for group in found for node in _scheme(plan, group)),
        Comment("Only a proxy may say these things, and this server is the edge."),
        *_hygiene(plan),
        Comment("What the connection is, in place of what a client says."),
        *_told(),
        Comment("Which site answers"),
        *(node for group in found for node in _routing(group)),
        *(
            _use(group, part, site)
            for group in found
            for site in _innermost_first(group)
            for part in reversed(plan.with_pools(site))
        ),
    ]


def _binds(plan: Plan, found: list[Group]) -> Iterator[Node]:
    for address in plan.deployment.listen:
        for where in _where(address):
            yield directive("bind", Raw(where), why="listen", setting="listen")
    certificates = [group.tls.certificate for group in found if group.tls]
    if not certificates:
        return
    words: list[Argument] = [Raw("ssl")]
    for path in dict.fromkeys(certificates):
        words += [Raw("crt"), str(path)]
    words += [Raw("alpn h2,http/1.1"), Raw("ssl-min-ver TLSv1.2")]
    words += [Raw(f"ciphers {':'.join(guideline.CIPHERS)}"), Raw("no-tls-tickets")]
    words += [Raw(f"curves {':'.join(guideline.curves(plan.deployment.openssl_version))}")]
    for address in plan.deployment.tls_listen:
        for where in _where(address):
            why = f"with HTTP/2; {guideline.WHY}"
            yield directive("bind", Raw(where), *words, why=why, setting=guideline.SETTING)


def _where(address: Address) -> list[str]:
    """Every address means those of IPv6 too; on one socket for both, a client of IPv4 would have an
    address of IPv6."""
    if not address.host:
        return [f"*:{address.port}", f"[::]:{address.port} v6only"]
    return [str(address)]


def _names(found: list[Group]) -> Iterator[Node]:
    for group in found:
        acl, setting = Raw(f"host_{group.name}"), group.hosts.setting
        if group.hosts.anything:
            why = "any name, as ALLOWED_HOSTS says"
            yield directive("acl", acl, Raw("always_true"), why=why, setting=setting)
            continue
        test, why = Raw(f"{_HOST} -i -m reg"), "the names of a site, with any port"
        for some in _portions(map(_name, group.hosts.names)):
            pattern = f"^(?:{'|'.join(some)})(?::[0-9]+)?$"
            yield directive("acl", acl, test, pattern, why=why, setting=setting)


def _portions(names: Iterable[str]) -> Iterator[list[str]]:
    """As many names at a time as fit into a line; lines of one acl are alternatives."""
    some: list[str] = []
    size = 0
    for name in names:
        length = len(f"{name}|") + name.count("\\")  # In quotes a backslash is two.
        if some and size + length > _NAMES:
            yield some
            some, size = [], 0
        some.append(name)
        size += length
    yield some


def _name(name: str) -> str:
    """A pattern for a name; below a suffix there is nothing that would end a name in a URL, as
    Django has it too (``django.http.request.host_validation_re``)."""
    return rf"(?:[a-z0-9.-]+\.)?{regex(name[1:])}" if name.startswith(".") else regex(name)


def _urls(sites: tuple[SiteFacts, ...]) -> Iterator[Node]:
    for site in sites:
        why = f"the site {site.name!r} answers here"
        setting = "DEPLOYKIT['SITE']['ROUTES']" if site.routes else site.prefix_setting
        for url in [f"{site.prefix}{route}" for route in site.routes or ("/",)]:
            name = Raw(f"url_{site.name}")
            yield directive("acl", name, Raw("path_beg"), url, why=why, setting=setting)
            if site.routes and url != "/":
                bare = url.rstrip("/")
                yield directive("acl", name, Raw("path"), bare, why=why, setting=setting)


def _pools(plan: Plan) -> Iterator[Node]:
    """The path as Django sees it: decoded once, and nothing else (RFC 3875 4.1.5)."""
    for site in plan.sites:
        for pool in site.pools:
            name = Raw(f"url_{plan.of_pool(pool).name(site)}")
            for test, url in (("beg", pool.url), ("str", pool.url.rstrip("/"))):
                words, why = Raw(f"path,url_dec -m {test}"), "processes of their own answer here"
                yield directive("acl", name, words, url, why=why, setting=pool.setting)


def _refusals(plan: Plan, found: list[Group]) -> Iterator[Node]:
    for group in found:
        name, where = Raw(f"set-var(txn.site) str({group.name})"), Raw(f"if host_{group.name}")
        yield directive("http-request", name, where, why="whose name it is, for the lines below")
    yield Comment("What ends here, and Django is never asked.")
    if not any(group.hosts.anything for group in found):
        why, setting = "an unknown name", found[0].hosts.setting
        yield _deny(403, "if !{ var(txn.site) -m found }", why, setting)
    for group in found:
        if not group.tls and any(other.tls for other in found):
            why = "a site without TLS does not answer there"
            yield _deny(403, f"if host_{group.name} {_SECURE}", why, guideline.SETTING)
        if any(site.pools for site in group.sites):
            unclear = f"if host_{group.name} {{ path -m reg {quoted(_UNCLEAR)} }}"
            why = "url_dec finds no path in it, by which processes are chosen; Django does"
            yield _deny(400, unclear, why, "DEPLOYKIT['SITE']['POOLS']")
    # Not req.hdr_val, which reads a number of 32 bits: of 4 GiB it sees nothing.
    large = f"if {{ req.body_size gt {plan.deployment.body_limit} }}"
    yield _deny(413, large, "a larger upload is refused before Django sees it", "body_limit")


def _deny(status: int, condition: str, why: str, setting: str) -> Node:
    words = Raw(f"deny deny_status {status} {condition}")
    return directive("http-request", words, why=why, setting=setting)


def _scheme(plan: Plan, group: Group) -> Iterator[Node]:
    """Plain HTTP leads to HTTPS, but for some paths; HSTS on every answer of HAProxy's too."""
    if not group.tls:
        return
    exempt = f"exempt_{group.name}"
    patterns = [f"^/{one}" for site in group.sites for one in exempt_patterns(site, group)]
    for pattern in patterns:
        why, setting = "no redirect for these paths", "SECURE_REDIRECT_EXEMPT"
        test = Raw("path,url_dec -m reg")
        yield directive("acl", Raw(exempt), test, pattern, why=why, setting=setting)
    port = plan.deployment.tls_listen[0].port
    suffix = "" if port == 443 else f":{port}"
    condition = f"if host_{group.name} !{_SECURE}{f' !{exempt}' if patterns else ''}"
    why, setting = "the name is one of this host's; path and query stay", group.hosts.setting
    name = Raw(rf'set-var(txn.name) {_HOST},regsub(":[0-9]+\$","")')
    yield directive("http-request", name, why="the name without its port")
    words = Raw(f"redirect code 301 location https://%[var(txn.name)]{suffix}%[pathq] {condition}")
    yield directive("http-request", words, why=why, setting=setting)
    for value in [site.headers.hsts for site in group.sites if site.headers.hsts][:1]:
        header = Raw("set-header Strict-Transport-Security")
        where = Raw(f"if {{ var(txn.site) -m str {group.name} }} {_SECURE}")
        why, setting = "once on every answer, in place of Django's own", "SECURE_HSTS_SECONDS"
        yield directive("http-after-response", header, value, where, why=why, setting=setting)


def _hygiene(plan: Plan) -> Iterator[Node]:
    why = "'_' and '-' become the same in request.META: a forged name could not be told"
    yield directive("option", Raw("http-restrict-req-hdr-names delete"), why=why)
    data = [contract.data_header(name) for site in plan.sites for name, _ in site.environ]
    why = "a client could claim another address, scheme, prefix, identity or data with it"
    names = (*contract.CLIENT_FORBIDDEN_HEADERS, *data, "Proxy-Authorization")
    for name in dict.fromkeys(names):
        yield directive("http-request", Raw("del-header"), name, why=why)


def _told() -> Iterator[Node]:
    why = "the application believes this header, which no client can write"
    yield _header(contract.CLIENT_ADDRESS_HEADER, "%[src]", why)
    yield _header(contract.SCHEME_HEADER, "http", why)
    yield _header(contract.SCHEME_HEADER, "https", why, f"if {_SECURE}")


def _header(name: str, value: str, why: str, condition: str = "") -> Node:
    words = [Raw(condition)] if condition else []
    return directive("http-request", Raw("set-header"), name, Raw(value), *words, why=why)


def _innermost_first(group: Group) -> list[SiteFacts]:
    return sorted(group.sites, key=lambda site: (-len(site.prefix), site.name))


def _routing(group: Group) -> Iterator[Node]:
    host = f"host_{group.name}"
    for site in group.sites:
        yield from _slash(site, host)
    mounted = " ".join(f"!url_{site.name}" for site in group.sites)
    why = "no other URL belongs to a site"
    words = f'return status 404 content-type text/plain string "Not Found" if {host} {mounted}'
    yield directive("http-request", Raw(words), why=why)


def _use(group: Group, plan: Plan, site: SiteFacts) -> Node:
    name = plan.name(site)
    where = Raw(f"if host_{group.name} url_{name}")
    return directive("use_backend", shared_name(name), where, why=f"processes of {name!r}")


def _slash(site: SiteFacts, host: str) -> Iterator[Node]:
    if not site.prefix or site.routes:
        return
    why, setting = "relative links of the first page need the slash", site.prefix_setting
    # A validated prefix needs no escapes.
    bare = f"if {host} {{ path {site.prefix} }}"
    for query, there in (("?%[query]", "{ query -m found }"), ("", "!{ query -m found }")):
        words = Raw(f"redirect code 301 location {site.prefix}/{query} {bare} {there}")
        yield directive("http-request", words, why=why, setting=setting)
