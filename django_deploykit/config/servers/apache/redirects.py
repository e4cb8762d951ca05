"""Plain HTTP in front of HTTPS: what stays there, and where the rest is led."""

from __future__ import annotations

from dataclasses import replace

from django_deploykit.config import tls as guideline
from django_deploykit.config.facts import Area, Tls
from django_deploykit.config.fronts import Group, exempt_patterns
from django_deploykit.config.path_hosts import in_path
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache import gateways, protected, urls
from django_deploykit.config.servers.apache.addresses import virtual_host
from django_deploykit.config.servers.apache.dialect import Version, grant
from django_deploykit.config.servers.apache.logs_and_limits import limits, logs, timeouts, unsaid
from django_deploykit.config.servers.apache.names import naming, spellings
from django_deploykit.config.syntax.nodes import Comment, Glob, Node, Raw, block, directive

_ACME_URL = "/.well-known/acme-challenge/"
_ACME = r"\.well-known/acme-challenge/"


def redirects(plan: Plan, group: Group, tls: Tls) -> list[Node]:
    """Plain HTTP: ACME answers, exempt paths, and a redirect to the same name for the rest."""
    port = plan.deployment.tls_listen[0].port
    suffix = "" if port == 443 else f":{port}"
    nodes = [
        node
        for name in group.hosts.exact
        for node in _redirect_host(plan, group, tls, [name], f"https://{name}{suffix}/")
    ]
    for name in (*group.hosts.suffixes, *(["*"] if group.hosts.anything else [])):
        nodes += _redirect_host(plan, group, tls, spellings(name), None, suffix)
    return nodes


def _redirect_host(
    plan: Plan, group: Group, tls: Tls, names: list[str], target: str | None, port: str = ""
) -> list[Node]:
    children = naming(group, names, "plain HTTP", "its other spellings")
    children += [*logs(plan, group), *timeouts(), *unsaid(), *_acme(plan, tls)]
    children += _exempt_applications(in_path(plan, group, secure=False), group)
    children.append(Comment("Everything else is on HTTPS."))
    if target:
        children.append(_fixed_redirect(plan, group, target))
    else:
        children += _same_name_redirect(group, port)
    why = "plain HTTP leads to HTTPS"
    return [
        Comment(f"Plain HTTP for {names[0]}"),
        virtual_host(plan.deployment.listen, children, why),
    ]


def _acme(plan: Plan, tls: Tls) -> list[Node]:
    setting, webroot = guideline.SETTING, tls.acme_webroot
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
    if protected.redirects(plan):  # Here is no place that Apache could redirect to.
        sites = tuple(replace(site, protected=()) for site in group.sites)
        group = replace(group, sites=sites)
    return [
        Comment("Some paths stay on plain HTTP (SECURE_REDIRECT_EXEMPT)."),
        *limits(plan),
        *protected.streamed(plan),
        *gateways.of(plan).hygiene(plan, group.sites),
        *urls.django(plan, group, [_ACME_URL]),
        *_acme_for_anybody(plan, group),
    ]


def _acme_for_anybody(plan: Plan, group: Group) -> list[Node]:
    """No area asks a certificate authority for a password; what stands further down wins."""
    found = [(site, one) for site in group.sites for one in site.areas if _holds_acme(one)]
    if not found:
        return []
    setting, why = found[0][1].setting, "a certificate authority has no password"
    asked = any(site.name in plan.authorizers for site, _ in found)
    nobody = [directive("AuthType", Raw("None"), why=why, setting=setting)] if asked else []
    children = [*nobody, *grant(Version.of(plan.deployment), why, setting)]
    return [
        Comment("Certificate authorities are asked for nothing."),
        block("Location", Glob(_ACME_URL.rstrip("/")), children=children, why=why, setting=setting),
    ]


def _holds_acme(area: Area) -> bool:
    return _ACME_URL.startswith(area.url) or area.url.startswith(_ACME_URL)


def _not_exempt(group: Group) -> str:
    """A pattern for every path that is neither ACME's nor in SECURE_REDIRECT_EXEMPT."""
    exempt = [pattern for site in group.sites for pattern in exempt_patterns(site, group)]
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
