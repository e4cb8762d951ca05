"""Virtual hosts: for each address the refusal of other names, then the sites."""

from __future__ import annotations

from django_deploykit.config.fronts import Group, groups
from django_deploykit.config.path_hosts import each_name, in_path
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache import content, gateways, tls, urls
from django_deploykit.config.servers.apache.addresses import listen, virtual_host
from django_deploykit.config.servers.apache.dialect import Version, refuse
from django_deploykit.config.servers.apache.logs_and_limits import limits, logs, timeouts, unsaid
from django_deploykit.config.servers.apache.names import server_names
from django_deploykit.config.servers.apache.redirects import redirects
from django_deploykit.config.syntax.nodes import Comment, Node, block, directive
from django_deploykit.config.values import Address

# RFC 6761 reserves .invalid: no client can ask for this name by accident.
CATCH_ALL = "unknown-host.invalid"


def virtual_hosts(plan: Plan) -> list[Node]:
    """Every virtual host: for each port the refusal of other names, then the sites."""
    found = each_name(plan, groups(plan.sites))
    nodes = listen(plan, plan.deployment.listen, "listen")
    nodes += _catch_all(plan, found, plan.deployment.listen, [])
    for group in found:
        if group.tls:
            nodes += redirects(plan, group, group.tls)
        else:
            nodes += _host(plan, group, plan.deployment.listen, [])
    return [*nodes, *_secure_hosts(plan, [group for group in found if group.tls])]


def _secure_hosts(plan: Plan, found: list[Group]) -> list[Node]:
    addresses = plan.deployment.tls_listen
    nodes: list[Node] = []
    for group in found:
        if group.tls:
            secure = tls.rules(plan, group.tls)
            if not nodes:  # The certificate of the refusal is that of the first site.
                nodes = listen(plan, addresses, "tls_listen")
                nodes += _catch_all(plan, found, addresses, secure)
            nodes += _host(plan, group, addresses, [*secure, *tls.hsts(group)])
    return nodes


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
        virtual_host(addresses, [name, *timeouts(), *unsaid(), nobody, *secure], why),
    ]


def _host(plan: Plan, group: Group, addresses: tuple[Address, ...], more: list[Node]) -> list[Node]:
    children = [
        *server_names(group),
        *more,
        Comment("Logs and limits"),
        *logs(plan, group),
        *timeouts(),
        *limits(plan),
        *unsaid(),
        content.sending(),
        *gateways.of(plan).hygiene(plan, group.sites),
        *urls.answered_here(plan, group),
        *urls.django_and_own(in_path(plan, group, secure=bool(group.tls)), group),
    ]
    names = ", ".join(site.name for site in group.sites)
    return [Comment(f"The site: {names}"), virtual_host(addresses, children, "the site")]
