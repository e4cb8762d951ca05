"""Path-encoded virtual hosts in lighttpd: ``map-urlpath`` writes, and a condition denies.

Manual: https://redmine.lighttpd.net/projects/lighttpd/wiki/Docs_ModProxy (proxy.header).
"""

from __future__ import annotations

from django_deploykit.config import path_hosts
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.lighttpd.content import NOWHERE
from django_deploykit.config.servers.lighttpd.dialect import URL, array, pair, when
from django_deploykit.config.syntax.nodes import Block, Node, Raw, directive

_PATHS = "var.deploykit_paths"
_SETTING = "vhost_path"
_WHY = "the application reads scheme, host and port out of the path"


def denied(plan: Plan) -> list[Block]:
    """404 for the marker in any spelling: conditions see the path decoded and without dots."""
    marker, why = plan.deployment.vhost_path, path_hosts.DENIED
    if not marker:
        return []
    nothing = directive("server.document-root", NOWHERE, why=why, setting=_SETTING)
    return [when(URL, path_hosts.pattern(marker), [nothing], why, _SETTING)]


def written(plan: Plan) -> list[Node]:
    """Scheme, host and port before the path, whose own bytes stay as they are."""
    if not plan.path_host:
        return []
    paths = [pair("/", f"{plan.path_host}/", why=_WHY, setting=_SETTING)]
    return [
        array(f"{_PATHS} :=", paths, _WHY, _SETTING),
        array("proxy.header", mapped(plan), _WHY, _SETTING),
    ]


def mapped(plan: Plan) -> list[Node]:
    """What every ``proxy.header`` of the site has to say, because one replaces another."""
    if not plan.path_host:
        return []
    return [pair("map-urlpath", Raw(_PATHS), why=_WHY, setting=_SETTING)]
