"""How requests from outside get to a site in a cluster: an HTTPRoute, or an Ingress.

References: https://gateway-api.sigs.k8s.io/reference/spec/ (v1) and
https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/
"""

from __future__ import annotations

import re

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.platforms import pod
from django_deploykit.config.platforms.pod import Object
from django_deploykit.config.syntax.yaml import Because
from django_deploykit.exceptions import UnrepresentableValue

_WHERE = "a route's host names"
_HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_ADDRESS = re.compile(r"[0-9.]+|\[.*\]")
# As many as one HTTPRoute takes, and one rule of it.
_MOST_HOSTS = 16
_MOST_PATHS = 64
_ROUTES = "DEPLOYKIT['SITE']['ROUTES']"


def route(plan: Plan, site: SiteFacts) -> Object:
    """The route of a site. Raise UnrepresentableValue for hosts that no route can name."""
    return _ingress(plan, site) if plan.deployment.ingress_class else _http_route(plan, site)


def _http_route(plan: Plan, site: SiteFacts) -> Object:
    namespace, _, name = plan.deployment.parent_ref.rpartition("/")
    parent: Object = {"name": Because(name, "the cluster's Gateway ends TLS", "parent_ref")}
    if namespace:
        parent["namespace"] = namespace
    backend: Object = {"name": pod.object_name(site), "port": 80}
    rule: Object = {
        "matches": [{"path": {"type": "PathPrefix", "value": path}} for path in _paths(site)],
        "backendRefs": [backend],
    }
    spec: Object = {"parentRefs": [parent], "rules": [rule]}
    if hosts := _hosts(site):
        spec["hostnames"] = Because(hosts, "no other name gets here", site.hosts.setting)
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": pod.object_name(site)},
        "spec": spec,
    }


def _ingress(plan: Plan, site: SiteFacts) -> Object:
    backend: Object = {"service": {"name": pod.object_name(site), "port": {"name": "http"}}}
    http: Object = {
        "paths": [{"path": path, "pathType": "Prefix", "backend": backend} for path in _paths(site)]
    }
    hosts = _hosts(site)
    why, setting = "no other name gets here", site.hosts.setting
    rules: list[Object] = [{"host": Because(host, why, setting), "http": http} for host in hosts]
    secret = f"{pod.object_name(site)}-tls"
    tls: Object = {"secretName": Because(secret, "a certificate and its key, by name")}
    if hosts:
        tls["hosts"] = hosts
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": pod.object_name(site)},
        "spec": {
            "ingressClassName": Because(
                plan.deployment.ingress_class, "the controller that serves it", "ingress_class"
            ),
            "tls": [tls],
            "rules": rules or [{"http": http}],
        },
    }


def _paths(site: SiteFacts) -> list[Because]:
    """What of a host is the site's: everything below its prefix, or what it answers of that and its
    static files. Raise UnrepresentableValue for more than a route takes."""
    setting = _ROUTES if site.routes else site.prefix_setting
    found = [Because(url or "/", "whole segments of it", setting) for url in site.mounts]
    if site.routes and site.static:
        files = [mount for mount in site.static.mounts if not _lies_below(mount.url, site.mounts)]
        found += [Because(one.url.rstrip("/"), "its files", one.setting) for one in files]
    if len(found) > _MOST_PATHS:
        reason = f"a route holds {_MOST_PATHS}, those of static files among them"
        raise UnrepresentableValue(", ".join(site.routes), "a route's paths", reason, setting)
    return found


def _lies_below(url: str, mounts: list[str]) -> bool:
    return any(url.startswith(f"{mount}/") for mount in mounts)


def _hosts(site: SiteFacts) -> list[str]:
    """The names of a site as routes write them; none for any. An address is no name: nobody's
    request for one comes through a route that has names."""
    if site.hosts.anything:
        return []
    names = [name for name in site.hosts.exact if not _ADDRESS.fullmatch(name)]
    for suffix in site.hosts.suffixes:
        names += [suffix[1:], f"*{suffix}"]
    distinct = list(dict.fromkeys(names))
    _check(site, distinct)
    return distinct


def _check(site: SiteFacts, names: list[str]) -> None:
    setting = site.hosts.setting
    if not names:
        addresses = ", ".join(site.hosts.names)
        raise UnrepresentableValue(addresses, _WHERE, "an address is no name", setting)
    for name in names:
        if not _HOST.fullmatch(name):
            reason = "they are letters, digits, '-' and '.'"
            raise UnrepresentableValue(name, _WHERE, reason, setting)
    if len(names) > _MOST_HOSTS:
        reason = f"a route holds {_MOST_HOSTS}"
        raise UnrepresentableValue(", ".join(names), _WHERE, reason, setting)
