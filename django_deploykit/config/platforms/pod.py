"""What every pod of a site has in common, be it one that serves or one that migrates.

Reference: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from django_deploykit.config.container import ACCOUNT, TEMPORARY
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.syntax.yaml import Because, Value
from django_deploykit.exceptions import UnrepresentableValue

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")

Object = dict[str, Value]


def object_name(site: SiteFacts) -> str:
    """The name of a site's objects: a label of DNS (RFC 1035), as a Service needs one."""
    name = site.name.lower().replace("_", "-").strip("-")
    if not _NAME.fullmatch(name):
        setting = "DEPLOYKIT['SITE']['NAME']"
        reason = "the name of a Service begins with a letter"
        raise UnrepresentableValue(site.name, "Kubernetes", reason, setting)
    return name


def labels(site: SiteFacts, component: str) -> Object:
    """By which pods are found; those of another component are not."""
    return {
        "app.kubernetes.io/name": object_name(site),
        "app.kubernetes.io/component": component,
    }


def image(plan: Plan, site: SiteFacts) -> Because:
    """What is pulled; a version that is never pushed again, so that every pod runs the same."""
    chosen = plan.deployment.image or f"{object_name(site)}:1"
    return Because(chosen, "the same code in every pod", "image")


def command(words: Sequence[str]) -> Because:
    """An argument list, of which a cluster replaces nothing: for $(NAME) it would."""
    return Because([word.replace("$", "$$") for word in words], "this stack's own file")


def template(plan: Plan, site: SiteFacts, component: str, container: Object, pod: Object) -> Object:
    """A pod in which nobody is root and nothing is written but temporary files.

    ``container`` and ``pod`` are what else its only container, and it itself, have.
    """
    return {
        "metadata": {"labels": labels(site, component)},
        "spec": {
            "automountServiceAccountToken": Because(
                False, "the application has nothing to say to the cluster"
            ),
            "enableServiceLinks": Because(False, "no variables named after other services"),
            "securityContext": _account(),
            "containers": [_container(plan, site, component, container)],
            "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": _temporary(plan.deployment)}}],
            **pod,
        },
    }


def _container(plan: Plan, site: SiteFacts, component: str, more: Object) -> Object:
    return {
        "name": component,
        "image": image(plan, site),
        "envFrom": _variables(site),
        "securityContext": _confined(),
        "resources": _resources(plan.deployment),
        "volumeMounts": [{"name": "tmp", "mountPath": str(TEMPORARY)}],
        **more,
    }


def _account() -> Object:
    return {
        "runAsNonRoot": Because(True, "an image that runs as root does not start"),
        "runAsUser": Because(ACCOUNT, "the account of the image"),
        "runAsGroup": ACCOUNT,
        "seccompProfile": {"type": Because("RuntimeDefault", "no unusual system calls")},
    }


def _confined() -> Object:
    return {
        "allowPrivilegeEscalation": Because(False, "no set-uid program raises what it may do"),
        "capabilities": {"drop": Because(["ALL"], "it needs none")},
        "readOnlyRootFilesystem": Because(True, "nobody changes the code that runs"),
    }


def _variables(site: SiteFacts) -> Because:
    """Where variables come from: by name, so that no value is ever in a manifest."""
    name = object_name(site)
    return Because(
        [
            {"configMapRef": {"name": name, "optional": True}},
            {"secretRef": {"name": name, "optional": not site.application.env_file}},
        ],
        "the values are the cluster's, and never in a manifest",
        "DEPLOYKIT['SITE']['ENV_FILE']",
    )


def _resources(deployment: Deployment) -> Object:
    memory = Because(deployment.memory, "what it asks for is what it gets", "memory")
    return {
        "requests": {
            "cpu": Because(str(deployment.cpu), "one process uses one at most", "cpu"),
            "memory": memory,
        },
        "limits": {"memory": memory},
    }


def _temporary(deployment: Deployment) -> Because:
    """Room for as many uploads as there are threads, each of them kept twice: as the body of the
    request and as Django's file."""
    uploads = 2 * deployment.processes * deployment.threads
    mebibytes = -(-uploads * deployment.body_limit // 1024**2)
    return Because(f"{mebibytes}Mi", "two copies of an upload for each thread", "body_limit")
