"""A Job that migrates the database ``default``, once for each version of the image.

A Job cannot be changed once it is there: its name has a checksum of what it does, so that a new
image is a new Job, and the same one is the same.
Reference: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/
"""

from __future__ import annotations

import hashlib

from django_deploykit.config import container
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.platforms import pod
from django_deploykit.config.platforms.pod import Object
from django_deploykit.config.renderer import Rendered, Renderer
from django_deploykit.config.syntax.yaml import Because, yaml_lines

_COMPONENT = "migrate"


class KubernetesMigrateRenderer(Renderer):
    """A Job that runs ``migrate``; to be waited for before the new pods come."""

    name = "kubernetes-migrate"
    summary = "a Kubernetes Job that migrates the default database of one site"
    gateways = ("file",)
    in_container = True

    def render(self) -> Rendered:
        site = container.only_site(self.plan, self.name)
        job = self._job(site)
        job["metadata"] = {
            "name": Because(self._name(site, job), "another image is another Job", "image"),
            "labels": pod.labels(site, _COMPONENT),
        }
        head = f"{site.name}: apply it, and wait for it, before the new pods"
        return Rendered(
            filename=f"kubernetes/{site.name}-migrate.yaml", lines=yaml_lines(head, job)
        )

    def _name(self, site: SiteFacts, job: Object) -> str:
        text = "".join(f"{line.text}\n" for line in yaml_lines("", job))
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return f"{pod.object_name(site)}-{_COMPONENT}-{digest}"

    def _job(self, site: SiteFacts) -> Object:
        container: Object = {"command": pod.command(self._command(site))}
        never: Object = {"restartPolicy": Because("Never", "each try has its own log")}
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {},
            "spec": {
                "backoffLimit": Because(3, "a database may not be there at first"),
                "template": pod.template(self.plan, site, _COMPONENT, container, never),
            },
        }

    def _command(self, site: SiteFacts) -> list[str]:
        settings = f"--settings={site.application.settings_module}"
        return [str(self.plan.python(site)), "-m", "django", "migrate", "--noinput", settings]
