"""What a site looks like inside of a container: where its files lie there, and who runs it.

Nothing of the machine that writes these files is in them: two checkouts give the same bytes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import Application, Interpreter, Mount, SiteFacts
from django_deploykit.config.plan import Plan, Service
from django_deploykit.config.values import Address
from django_deploykit.exceptions import ChoiceError

PROJECT = Path("/app")
ENVIRONMENT = Path("/opt/venv")
TEMPORARY = Path("/tmp")  # noqa: S108 - a volume of the container's own

# An account that no system has: an image names it by number, and a cluster can tell that it is
# not root without looking into the image.
ACCOUNT = 10001
PORT = 8000

# Of each container, unless told: a cluster has many small ones.
CPU = 1
MEMORY = "512Mi"


def contained(plan: Plan) -> Plan:
    """The same plan, with every path as it is in a container.

    What lies below the project is below ``PROJECT`` there, and its environment is
    ``ENVIRONMENT``; other paths stay.
    """
    return replace(
        plan,
        sites=tuple(_contained(site) for site in plan.sites),
        deployment=_deployment(plan.deployment),
        directory=_directory(plan),
        in_container=True,
    )


def only_site(plan: Plan, target: str) -> SiteFacts:
    """The site of an image. Raise ChoiceError for several."""
    if len(plan.sites) > 1:
        names = ", ".join(site.name for site in plan.sites)
        raise ChoiceError(
            f"target {target!r}: the sites {names} have an image each. Run it with the --settings "
            "of each, without SITES."
        )
    return plan.sites[0]


def served(plan: Plan, target: str) -> tuple[SiteFacts, Service]:
    """The site of an image, and how it runs there. Raise ChoiceError for several sites, and for
    an application server that needs a front."""
    site = only_site(plan, target)
    if not plan.stands_alone or plan.service is None:
        raise ChoiceError(
            f"target {target!r}: {plan.app_server} needs a front server, which a container does "
            "not have. gunicorn does without, for WSGI."
        )
    return site, plan.service


def _deployment(deployment: Deployment) -> Deployment:
    cpu = deployment.cpu or CPU
    return replace(
        deployment,
        listen=(Address("", PORT),),
        processes=cpu,
        cpu=cpu,
        memory=deployment.memory or MEMORY,
        user="",
        group="",
        socket=None,
        python_home=None,
        log_directory=None,
    )


def _directory(plan: Plan) -> Path | None:
    """Where the written set lies in the image, if it lies below the project."""
    root = plan.sites[0].application.root
    if plan.directory is None or not plan.directory.is_relative_to(root):
        return plan.directory and PROJECT / "deploy"
    return PROJECT / plan.directory.relative_to(root)


def _contained(site: SiteFacts) -> SiteFacts:
    return replace(
        site,
        application=_application(site),
        interpreter=_interpreter(site),
        documents=site.documents and _moved(site, site.documents),
        static=site.static and replace(site.static, mounts=_mounts(site, site.static.mounts)),
        admin_static=site.admin_static and _mounts(site, (site.admin_static,))[0],
        media=site.media and _mounts(site, (site.media,))[0],
        closed_uploads=site.closed_uploads and _moved(site, site.closed_uploads),
        protected=_mounts(site, site.protected),
        stored=tuple(_moved(site, path) for path in site.stored),
        databases=tuple(_moved(site, path) for path in site.databases),
        caches=tuple(_moved(site, path) for path in site.caches),
        writes=tuple((setting, _moved(site, path)) for setting, path in site.writes),
        root_files=tuple(replace(file, path=_moved(site, file.path)) for file in site.root_files),
        tls=site.tls and replace(site.tls, key=_moved(site, site.tls.key)),
    )


def _application(site: SiteFacts) -> Application:
    app = site.application
    return replace(
        app,
        root=PROJECT,
        wsgi_file=app.wsgi_file and _moved(site, app.wsgi_file),
        env_file=app.env_file and _moved(site, app.env_file),
    )


def _interpreter(site: SiteFacts) -> Interpreter:
    python = "python{}.{}".format(*site.interpreter.version)
    packages = ENVIRONMENT / "lib" / python / "site-packages"
    return replace(
        site.interpreter, prefix=ENVIRONMENT, packages=packages, base=None, program="python"
    )


def _mounts(site: SiteFacts, mounts: tuple[Mount, ...]) -> tuple[Mount, ...]:
    return tuple(replace(one, directory=_moved(site, one.directory)) for one in mounts)


def _moved(site: SiteFacts, path: Path) -> Path:
    """Where a path lies in the container. The environment may lie inside of the project."""
    packages = _interpreter(site).packages
    for here, there in (
        (site.interpreter.packages, packages),
        (site.interpreter.prefix, ENVIRONMENT),
        (site.application.root, PROJECT),
    ):
        if path.is_relative_to(here):
            return there / path.relative_to(here)
    return path
