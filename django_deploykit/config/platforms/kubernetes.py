"""Kubernetes: the objects by which a cluster runs a site, from 1.34 on.

Only references to configuration and secrets: their values are never here. A Gateway, an Ingress
controller and whatever else a cluster has are the cluster's own, and named by choices.
Reference: https://kubernetes.io/docs/reference/kubernetes-api/
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django_deploykit import contract
from django_deploykit.config import container, limits
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.fronts import without_websockets
from django_deploykit.config.plan import Plan, Service
from django_deploykit.config.platforms import pod
from django_deploykit.config.platforms.pod import Object
from django_deploykit.config.platforms.routes import route
from django_deploykit.config.renderer import Rendered, Renderer
from django_deploykit.config.syntax.yaml import Because, yaml_lines
from django_deploykit.exceptions import ChoiceError

WEB = "web"

# Of the CPUs that a pod asks for: above that, more pods; the rest is for the time they need.
_BUSY_PERCENT = 70

# Seconds until a probe has an answer where nobody has to wait for a thread.
_PROMPT = 5

_TEMPORARY = Path("/tmp")  # noqa: S108 - asked about, not used


class KubernetesRenderer(Renderer):
    """Deployment, Service, route, autoscaler and disruption budget of one site."""

    name = "kubernetes"
    summary = "Kubernetes objects for one site, with the Dockerfile of its image"
    gateways = ("http",)
    runs_app_server = True
    in_container = True
    asks_health = True

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return [
            (name, plan) for name in ("wsgi", "kubernetes-migrate", "dockerfile", "dockerignore")
        ]

    def render(self) -> Rendered:
        site, service = container.served(self.plan, self.name)
        objects = [
            self._service(site),
            self._deployment(site, service),
            self._autoscaler(site),
            self._budget(site),
            route(self.plan, site),
        ]
        return Rendered(
            filename=f"kubernetes/{site.name}.yaml",
            lines=yaml_lines(f"{site.name}: what a cluster runs, Kubernetes 1.34+", *objects),
            warnings=tuple(self._warnings(site)),
        )

    def _service(self, site: SiteFacts) -> Object:
        port: Object = {"name": "http", "port": 80, "targetPort": "http"}
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": self._metadata(site),
            "spec": {"selector": pod.labels(site, WEB), "ports": [port]},
        }

    def _deployment(self, site: SiteFacts, service: Service) -> Object:
        end: Object = {
            "terminationGracePeriodSeconds": Because(
                limits.shutdown_timeout(self.deployment),
                "out of every list of addresses first, then the running requests may end",
                "request_timeout",
            ),
            "topologySpreadConstraints": [self._spread(site)],
        }
        rolling = {
            "maxUnavailable": Because(0, "a new pod is ready before an old one ends"),
            "maxSurge": Because(1, "one more for that time"),
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": self._metadata(site),
            "spec": {
                "selector": {"matchLabels": pod.labels(site, WEB)},
                "strategy": {"rollingUpdate": rolling},
                "template": pod.template(self.plan, site, WEB, self._container(site, service), end),
            },
        }

    def _container(self, site: SiteFacts, service: Service) -> Object:
        """What a container has that answers requests."""
        wait = Because(
            limits.DRAIN, "requests still come until the pod is out of every list of addresses"
        )
        return {
            "command": pod.command(service.command),
            "ports": [{"name": "http", "containerPort": container.PORT}],
            "startupProbe": self._probe(site, "a slow start is no failure", 2, 60),
            "readinessProbe": self._probe(site, "no requests for a pod that cannot answer", 5, 2),
            "livenessProbe": self._alive(site),
            "lifecycle": {"preStop": {"sleep": {"seconds": wait}}},
        }

    def _probe(
        self, site: SiteFacts, why: str, period: int, failures: int, wait: int = _PROMPT
    ) -> Because:
        request: Object = {
            "port": "http",
            "path": Because(health_path(self.plan, site), "a cheap page", "health"),
            "httpHeaders": self._headers(site),
        }
        return Because({"httpGet": request, **_often(period, failures, wait)}, why)

    def _alive(self, site: SiteFacts) -> Because:
        """A page may fail because a database does: starting anew would only make that worse. So
        unless a page is named for it, only the port is asked. It waits for a thread like any
        request, and may find none for as long as a request may take: busy is not dead."""
        why = "a process that hangs is started anew"
        if self.deployment.health:
            wait = limits.queue_timeout(self.deployment)
            failures = -(-limits.front_timeout(self.deployment) // wait)
            return self._probe(site, why, 10, failures, wait)
        return Because({"tcpSocket": {"port": "http"}, **_often(10, 6, _PROMPT)}, why)

    def _headers(self, site: SiteFacts) -> Because:
        """What the probes say: a host that Django takes, and, if a cluster's nodes are trusted
        to say it, that the page is not to be led to HTTPS."""
        found: list[Object] = [{"name": contract.SCHEME_HEADER, "value": "https"}]
        if host := _probe_host(site):
            found.insert(0, {"name": "Host", "value": host})
        return Because(found, "Django refuses the pod's address", site.hosts.setting)

    def _spread(self, site: SiteFacts) -> Object:
        return {
            "maxSkew": 1,
            "topologyKey": Because("kubernetes.io/hostname", "not all on the node that fails"),
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": pod.labels(site, WEB)},
        }

    def _autoscaler(self, site: SiteFacts) -> Object:
        least, most = self.deployment.replicas, self.deployment.max_replicas
        if most < least:
            raise ChoiceError(f"max_replicas={most} is less than replicas={least}.")
        target: Object = {"type": "Utilization", "averageUtilization": _BUSY_PERCENT}
        return {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": self._metadata(site),
            "spec": {
                "scaleTargetRef": {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": pod.object_name(site),
                },
                "minReplicas": Because(least, "one may fail", "replicas"),
                "maxReplicas": Because(most, "what the database bears", "max_replicas"),
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            },
        }

    def _budget(self, site: SiteFacts) -> Object:
        return {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": self._metadata(site),
            "spec": {
                "maxUnavailable": Because(1, "nodes are emptied one pod at a time"),
                "selector": {"matchLabels": pod.labels(site, WEB)},
            },
        }

    def _metadata(self, site: SiteFacts) -> Object:
        return {"name": pod.object_name(site), "labels": pod.labels(site, WEB)}

    def _written(self, site: SiteFacts) -> list[tuple[str, Path]]:
        """What settings would have a pod write where it may not, by their names."""
        named = [*(("CACHES", path) for path in site.caches), *site.writes]
        return [(setting, path) for setting, path in named if not path.is_relative_to(_TEMPORARY)]

    def _warnings(self, site: SiteFacts) -> list[str]:
        lost = {
            "MEDIA_ROOT": [site.uploads] if site.uploads else [],
            "DEPLOYKIT['SITE']['PROTECTED']": site.protected,
            "STORAGES": site.stored,
            "DATABASES": site.databases,
        }
        found = [
            f"{site.name}: {setting}: files of a pod end with it, and it may write none but "
            "temporary ones. Keep them in an object storage or a database server."
            for setting, directories in lost.items()
            if directories
        ]
        found += [
            f"{site.name}: {setting}: a pod may write to /tmp alone, and not to {str(path)!r}."
            for setting, path in self._written(site)
        ]
        if not self.deployment.image:
            found.append("image: name the image that the cluster pulls (--set image=).")
        if not self.deployment.health:
            found.append(
                f"health: {health_path(self.plan, site)!r} is asked whether a pod is ready. "
                "Name a cheap page that always answers (--set health=)."
            )
        if not site.believes_proxies:
            found.append(
                "DEPLOYKIT['PROXY'] is unset: Django takes the cluster's gateway for the client, "
                "and HTTPS for HTTP. Say whom it may believe."
            )
        return [*found, *without_websockets(self.plan)]


def health_path(plan: Plan, site: SiteFacts) -> str:
    """The URL's path that says whether the site lives."""
    return f"{site.prefix}{plan.deployment.health or '/'}"


def _often(period: int, failures: int, wait: int) -> Object:
    return {"periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": wait}


def _probe_host(site: SiteFacts) -> str:
    """A host that Django takes; '' where it takes any."""
    names = [*site.hosts.exact, *(suffix[1:] for suffix in site.hosts.suffixes)]
    return names[0] if names else ""
