"""Virtual hosts: names, addresses, TLS, logs, limits, and what a client may not say."""

from __future__ import annotations

from django_deploykit.config import tls as guideline
from django_deploykit.config.deployment import Address
from django_deploykit.config.facts import SiteFacts, Tls
from django_deploykit.config.fronts import Group, exempt_patterns, groups
from django_deploykit.config.renderer import Plan
from django_deploykit.config.servers.apache import content, gateways
from django_deploykit.config.servers.apache.dialect import Version, grant, refuse
from django_deploykit.config.syntax.apache import regex
from django_deploykit.config.syntax.nodes import (
    Argument,
    Comment,
    Format,
    Glob,
    Node,
    Raw,
    block,
    directive,
)

# RFC 6761 reserves .invalid: no client can ask for this name by accident.
CATCH_ALL = "unknown-host.invalid"

_LOG_FORMAT = r'%h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i" %D'
_ACME_URL = "/.well-known/acme-challenge/"
_ACME = r"\.well-known/acme-challenge/"

# Ports for which every distribution's own configuration already has a Listen line.
_DISTRIBUTION_PORTS = (80, 443)


def virtual_hosts(plan: Plan) -> list[Node]:
    """Every virtual host: for each port the refusal of other names, then the sites."""
    found = groups(plan.sites)
    nodes = _listen(plan, plan.deployment.listen, "listen")
    nodes += _catch_all(plan, found, plan.deployment.listen, [])
    for group in found:
        if group.tls:
            nodes += _redirects(plan, group, group.tls)
        else:
            nodes += _host(plan, group, plan.deployment.listen, [])
    return [*nodes, *_secure_hosts(plan, [group for group in found if group.tls])]


def _secure_hosts(plan: Plan, found: list[Group]) -> list[Node]:
    addresses = plan.deployment.tls_listen
    nodes: list[Node] = []
    for group in found:
        if group.tls:
            secure = _tls(plan, group.tls)
            if not nodes:  # The certificate of the refusal is that of the first site.
                nodes = _listen(plan, addresses, "tls_listen")
                nodes += _catch_all(plan, found, addresses, secure)
            nodes += _host(plan, group, addresses, [*secure, *_hsts(group)])
    return nodes


def _listen(plan: Plan, addresses: tuple[Address, ...], choice: str) -> list[Node]:
    """The addresses for which no distribution's own configuration listens."""
    why = "the server's own configuration listens only on 80 and 443"
    own = [one for one in addresses if one.host or one.port not in _DISTRIBUTION_PORTS]
    nodes: list[Node] = [
        directive("Listen", Raw(str(one).removeprefix("*:")), setting=choice, why=why)
        for one in own
    ]
    if not Version.of(plan.deployment).modern:
        nodes += _name_virtual_host(addresses, choice)
    return [Comment(f"Addresses ({choice})"), *nodes] if nodes else []


def _name_virtual_host(addresses: tuple[Address, ...], choice: str) -> list[Node]:
    why = "Apache 2.2 tells hosts of one address apart only when told to"
    return [
        directive("NameVirtualHost", Raw(str(address)), why=why, setting=choice)
        for address in addresses
    ]


def _virtual_host(addresses: tuple[Address, ...], children: list[Node], why: str) -> Node:
    where = tuple(Raw(str(address)) for address in addresses)
    return block("VirtualHost", *where, children=children, why=why, setting="listen")


def _catch_all(
    plan: Plan, found: list[Group], addresses: tuple[Address, ...], secure: list[Node]
) -> list[Node]:
    """The first host of an address answers whatever names no other host has."""
    if any(group.hosts.anything for group in found):
        return []
    setting = found[0].hosts.setting
    refusal = refuse(Version.of(plan.deployment), "Django is never asked", setting)
    nobody = block("Location", "/", children=refusal, why="every URL", setting=setting)
    name = directive("ServerName", CATCH_ALL, why="a name that nobody can have (RFC 6761)")
    why = "the first host of an address answers unknown names; this one refuses them"
    return [
        Comment("Unknown host names end here, and Django is never asked."),
        _virtual_host(addresses, [name, *_timeouts(), nobody, *secure], why),
    ]


def _host(plan: Plan, group: Group, addresses: tuple[Address, ...], more: list[Node]) -> list[Node]:
    children = [
        *_names(group),
        *more,
        Comment("Logs and limits"),
        *_logs(plan, group),
        *_timeouts(),
        *_limits(plan),
        *gateways.of(plan).hygiene(plan, group.sites),
        *_content(plan, group),
        *_django_and_own(plan, group),
    ]
    names = ", ".join(site.name for site in group.sites)
    return [Comment(f"The site: {names}"), _virtual_host(addresses, children, "the site")]


def _content(plan: Plan, group: Group) -> list[Node]:
    """What the server answers itself, and 404 for what nobody does."""
    nodes: list[Node] = []
    for site in group.sites:
        nodes += [*_slash(plan, site), *content.serve(plan, site)]
    return [*nodes, *_nothing_else(group)]


def _django_and_own(plan: Plan, group: Group) -> list[Node]:
    """Django, then the operator's own directives; but an Alias or exception from ProxyPass is
    the first that fits."""
    own = [url for site in group.sites for url in _own_urls(plan, site)]
    django, include = _django(plan, group, own), _include(plan, group)
    return [*django, *include] if gateways.is_mod_wsgi(plan) else [*include, *django]


def _own_urls(plan: Plan, site: SiteFacts) -> list[str]:
    """The URLs at and below which the server answers for a site, without asking Django."""
    mounts = [*plan.static_mounts(site), *([site.media] if site.media else [])]
    return [*(mount.url for mount in mounts), *(file.url for file in site.root_files)]


def _django(plan: Plan, group: Group, own: list[str]) -> list[Node]:
    """Where the sites are mounted, but for ``own`` URLs, and what the server tells them."""
    gateway = gateways.of(plan)
    nodes = [Comment("Django"), *gateway.mount(plan, group.sites, own)]
    nodes += gateway.request_environment(plan, group.sites)
    for site in group.sites:
        nodes += _environment(plan, group, site)
    return nodes


def _environment(plan: Plan, group: Group, site: SiteFacts) -> list[Node]:
    """What only this site is told, be it alone under its names or not."""
    nodes = gateways.of(plan).site_variables(plan, site)
    if not nodes or len(group.sites) == 1:
        return nodes
    others = [url for other in group.sites if other is not site for url in _mounts(other)]
    why = f"only for the site {site.name!r}"
    return [block("LocationMatch", _urls_of(site, others), children=nodes, why=why)]


def _mounts(site: SiteFacts) -> list[str]:
    """The URLs at and below which a site answers, without a slash at the end."""
    return [f"{site.prefix}{route.rstrip('/')}" for route in site.routes] or [site.prefix]


def _urls_of(site: SiteFacts, others: list[str]) -> str:
    """A pattern for the URLs of a site, but not for those of another one below it."""
    own = _mounts(site)
    nested = [url for url in others if any(url.startswith(f"{mount}/") for mount in own)]
    but = f"(?!{_any_of(nested)})" if nested else ""
    return f"^{but}{_any_of(own)}"


def _any_of(urls: list[str]) -> str:
    return f"(?:{'|'.join(regex(url) for url in urls)})(?:/|$)"


def _names(group: Group) -> list[Node]:
    setting = group.hosts.setting
    names = [spelling for name in group.hosts.names for spelling in _spellings(name)]
    first = f"{group.name}.invalid" if group.hosts.anything else names.pop(0)
    why = "the name in redirects that Apache makes"
    nodes: list[Node] = [directive("ServerName", first, why=why, setting=setting)]
    if names:
        why = "the other names of the site"
        nodes.append(directive("ServerAlias", *map(_bare, names), why=why, setting=setting))
    return nodes


def _bare(name: str) -> Argument:
    # A validated host name; brackets of an IPv6 address must not be quoted away.
    return Raw(name)


def _spellings(name: str) -> list[str]:
    return [name[1:], f"*{name}"] if name.startswith(".") else [name]


def _logs(plan: Plan, group: Group) -> list[Node]:
    directory = plan.deployment.log_directory
    return [
        directive(
            "ErrorLog",
            str(directory / f"{group.name}-error.log"),
            setting="log_directory",
            why="Python's tracebacks land in the error log of the host",
        ),
        directive(
            "CustomLog",
            str(directory / f"{group.name}-access.log"),
            _LOG_FORMAT,
            setting="log_directory",
            why="the combined format, and microseconds spent",
        ),
    ]


def _timeouts() -> list[Node]:
    """What ends a slow client. The first host of an address decides until a name is known."""
    return [
        directive("Timeout", 60, why="a client that neither sends nor takes a byte is gone"),
        directive(
            "RequestReadTimeout",
            Raw("header=20-40,MinRate=500"),
            Raw("body=20,MinRate=500"),
            why="a client that sends a few bytes a minute may not hold a thread for ever",
        ),
    ]


def _limits(plan: Plan) -> list[Node]:
    return [
        directive(
            "LimitRequestBody",
            plan.deployment.body_limit,
            setting="body_limit",
            why="a larger upload is refused with 413 before Django sees it",
        ),
        directive("TraceEnable", "Off", why="TRACE would echo cookies; Django has no use for it"),
        directive("ServerSignature", "Off", why="error pages need not name versions"),
    ]


def _slash(plan: Plan, site: SiteFacts) -> list[Node]:
    if not site.prefix or site.routes:
        return []
    why, setting = "relative links of the first page need the slash", site.prefix_setting
    # RedirectMatch would lose the query, and Redirect alone would take every URL below too.
    redirect = directive(
        "Redirect", "permanent", site.prefix, f"{site.prefix}/", why=why, setting=setting
    )
    granted = grant(Version.of(plan.deployment), "it leads on, whatever file it might mean")
    pattern = f"^{regex(site.prefix)}$"
    return [
        Comment(f"The bare prefix {site.prefix}"),
        block("LocationMatch", pattern, children=[*granted, redirect], why=why, setting=setting),
    ]


def _nothing_else(group: Group) -> list[Node]:
    """404 for URLs that belong to nobody, instead of the distribution's welcome page."""
    whole = any(not site.prefix and not site.routes for site in group.sites)
    if whole or any(site.documents for site in group.sites):
        return []
    known = sorted({url.rstrip("/") for site in group.sites for url in _known_urls(site)})
    outermost = [url for url in known if not any(url.startswith(f"{up}/") for up in known)]
    why = "otherwise the distribution's own pages would show"
    return [
        Comment("No other URL belongs to a site; see DEPLOYKIT['SITE']['DOCUMENTS']."),
        directive("RedirectMatch", 404, f"^(?!{_any_of(outermost)})/", why=why),
    ]


def _known_urls(site: SiteFacts) -> list[str]:
    urls = [mount.url for mount in (site.static.mounts if site.static else ())]
    urls += [site.media.url] if site.media else []
    return [*_mounts(site), *urls, *(file.url for file in site.root_files)]


def _include(plan: Plan, group: Group) -> list[Node]:
    if not Version.of(plan.deployment).modern:
        return []
    why = "your own directives, which are never touched"
    remark = "Your own directives; below ServerRoot (Debian: /etc/apache2), if there are any."
    if gateways.is_proxy(plan):
        remark += "\nA Redirect or Alias of your own needs 'ProxyPass /its/url/ !' beside it."
    return [
        Comment(remark),
        directive("IncludeOptional", f"deploykit/{group.name}/*.conf", why=why),
    ]


def _redirects(plan: Plan, group: Group, tls: Tls) -> list[Node]:
    """Plain HTTP: ACME answers, exempt paths, and a redirect to the same name for the rest."""
    port = plan.deployment.tls_listen[0].port
    suffix = "" if port == 443 else f":{port}"
    nodes = [
        node
        for name in group.hosts.exact
        for node in _redirect_host(plan, group, tls, [name], f"https://{name}{suffix}/")
    ]
    for name in (*group.hosts.suffixes, *(["*"] if group.hosts.anything else [])):
        spellings = _spellings(name) if name != "*" else [f"{group.name}.invalid", "*"]
        nodes += _redirect_host(plan, group, tls, spellings, None, suffix)
    return nodes


def _redirect_host(
    plan: Plan, group: Group, tls: Tls, names: list[str], target: str | None, port: str = ""
) -> list[Node]:
    setting = group.hosts.setting
    first, *aliases = names
    children: list[Node] = [directive("ServerName", first, why="plain HTTP", setting=setting)]
    if aliases:
        why = "its other spellings"
        children.append(directive("ServerAlias", *map(_bare, aliases), why=why, setting=setting))
    children += [*_logs(plan, group), *_timeouts(), *_acme(plan, tls)]
    children += _exempt_applications(plan, group)
    children.append(Comment("Everything else is on HTTPS."))
    if target:
        children.append(_fixed_redirect(plan, group, target))
    else:
        children += _same_name_redirect(group, port)
    why = "plain HTTP leads to HTTPS"
    return [
        Comment(f"Plain HTTP for {first}"),
        _virtual_host(plan.deployment.listen, children, why),
    ]


def _acme(plan: Plan, tls: Tls) -> list[Node]:
    setting, webroot = "DEPLOYKIT['SITE']['TLS']", tls.acme_webroot
    why = "certificate authorities ask over plain HTTP (ACME http-01, RFC 8555 8.3)"
    version = Version.of(plan.deployment)
    answers = webroot / ".well-known" / "acme-challenge"
    return [
        Comment("Certificate authorities ask here (ACME http-01)."),
        directive("Alias", _ACME_URL, f"{answers}/", why=why, setting=setting),
        block(
            "Directory",
            Glob(str(answers)),
            why=why,
            setting=setting,
            children=[
                *grant(version, "anybody may read an answer", setting),
                directive("Options", "None", why="plain files only"),
                directive("AllowOverride", "None", why="no .htaccess is looked for"),
            ],
        ),
    ]


def _exempt_applications(plan: Plan, group: Group) -> list[Node]:
    if not any(site.redirect_exempt for site in group.sites):
        return []
    return [
        Comment("Some paths stay on plain HTTP (SECURE_REDIRECT_EXEMPT)."),
        *_limits(plan),
        *gateways.of(plan).hygiene(plan, group.sites),
        *_django(plan, group, [_ACME_URL]),
    ]


def _not_exempt(group: Group) -> str:
    """A pattern for every path that is neither ACME's nor in SECURE_REDIRECT_EXEMPT."""
    exempt = [pattern for site in group.sites for pattern in exempt_patterns(site)]
    return f"^/(?!{'|'.join([_ACME, *exempt])})"


def _fixed_redirect(plan: Plan, group: Group, target: str) -> Node:
    why = "a fixed name, never the client's; Redirect keeps %3F and the query as they came"
    redirect = directive("Redirect", "permanent", "/", target, why=why, setting=group.hosts.setting)
    granted = "what Apache would map the URL to does not matter"
    children: list[Node] = [*grant(Version.of(plan.deployment), granted), redirect]
    return block("LocationMatch", _not_exempt(group), children=children, why="every other path")


def _same_name_redirect(group: Group, port: str) -> list[Node]:
    why = "the name was checked by ServerAlias; '%3F' in a path is refused here (CVE-2024-38474)"
    rule = directive(
        "RewriteRule",
        _not_exempt(group),
        Raw(f'"https://%{{SERVER_NAME}}{port}%{{REQUEST_URI}}"'),
        Raw("[R=301,L]"),
        why=why,
        setting=group.hosts.setting,
    )
    engine = directive("RewriteEngine", "On", why="the only redirect that can keep the name")
    return [engine, rule]


def _tls(plan: Plan, tls: Tls) -> list[Node]:
    version, setting = Version.of(plan.deployment), "DEPLOYKIT['SITE']['TLS']"
    protocols = ["all", "-SSLv3", "-TLSv1", "-TLSv1.1"]
    curves = guideline.curves(plan.deployment.openssl_version)
    nodes: list[Node] = [
        Comment(f"TLS: {guideline.WHY}"),
        directive("SSLEngine", "on", why="this host speaks TLS", setting=setting),
        directive(
            "SSLCertificateFile",
            str(tls.certificate),
            setting=setting,
            why="the certificate and its chain",
        ),
        directive("SSLCertificateKeyFile", str(tls.key), why="its key", setting=setting),
        directive("SSLProtocol", *protocols, why=guideline.WHY),
        directive("SSLCipherSuite", ":".join(guideline.CIPHERS), why=guideline.WHY),
        directive("SSLHonorCipherOrder", "off", why=guideline.WHY),
    ]
    if not version.at_least(2, 4, 8):
        why = "until 2.4.8 the chain was not read with the certificate"
        chain = str(tls.certificate)
        nodes.append(directive("SSLCertificateChainFile", chain, why=why, setting=setting))
    if version.at_least(2, 4, 11):
        nodes.append(directive("SSLSessionTickets", "off", why=guideline.WHY))
        nodes.append(directive("SSLOpenSSLConfCmd", "Curves", ":".join(curves), why=guideline.WHY))
    if version.at_least(2, 4, 17):
        http2 = directive("Protocols", "h2", "http/1.1", why="HTTP/2 where the module is loaded")
        why = "HTTP/2 is optional"
        nodes.append(block("IfModule", Raw("http2_module"), children=[http2], why=why))
    return nodes


def _hsts(group: Group) -> list[Node]:
    values = [site.headers.hsts for site in group.sites if site.headers.hsts]
    if not values:
        return []
    name, setting = "Strict-Transport-Security", "SECURE_HSTS_SECONDS"
    return [
        Comment("HSTS has one owner, this server: Django's own is taken away."),
        directive(
            "Header",
            "onsuccess",
            "unset",
            name,
            setting=setting,
            why="Django sends it too; the server owns it, so that it comes exactly once",
        ),
        directive(
            "Header",
            "always",
            "set",
            name,
            Format(values[0]),
            setting=setting,
            why="on every answer of this host, errors and static files too",
        ),
    ]
