"""Apache httpd with mod_wsgi, or as a proxy in front of an application server.

Manuals: https://httpd.apache.org/docs/2.4/mod/ and https://modwsgi.readthedocs.io/.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django_deploykit.config import limits
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.fronts import (
    admin_steps,
    check_applications,
    file_name,
    site_names,
    without_tls,
    without_websockets,
)
from django_deploykit.config.plan import Logs, Plan
from django_deploykit.config.renderer import Foreground, Needs, Rendered, Renderer, site_access
from django_deploykit.config.servers.apache import (
    areas,
    asking,
    gateways,
    hosts,
    installed,
    private,
    protected,
    remarks,
    workers,
)
from django_deploykit.config.servers.apache.dialect import Version, dialect
from django_deploykit.config.syntax.nodes import Comment, Node
from django_deploykit.config.syntax.printer import print_lines


class ApacheRenderer(Renderer):
    """A site file for Apache: what Debian keeps in ``sites-available``."""

    name = "apache"
    summary = "Apache httpd 2.4 (2.2 on request) with mod_wsgi, daemon or embedded, or mod_proxy"
    asks = (*workers.SPEAKS, *gateways.STARTS)
    gateways = guards = ("mod_wsgi", "mod_wsgi-embedded", *asks)
    balancing = tuple(workers.SPEAKS)
    pooling = ("mod_wsgi", *workers.SPEAKS)
    path_hosts = ("http",)
    asks_over_sockets = False
    logs = Logs(
        owner="root", group="adm", reopen="invoke-rc.d apache2 reload", costly=remarks.COSTLY
    )

    @classmethod
    def installed(cls, deployment: Deployment) -> Deployment:
        return installed.fill(deployment)

    @classmethod
    def misfits(cls, plan: Plan) -> Sequence[str]:
        return private.misfits(plan)

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        scripts = [(plan.interface, plan.for_site(site)) for site in plan.sites]
        scripts += [("apache-auth", plan.for_site(site)) for site in areas.hooked(plan)]
        # Elsewhere no Python runs in Apache itself, and the locale is that of other processes.
        return [*scripts, ("apache-envvars", plan)] if gateways.is_mod_wsgi(plan) else scripts

    def render(self) -> Rendered:
        self._check()
        nodes = [
            *self._introduction(),
            *gateways.of(self.plan).server_level(self.plan),
            *asking.server_level(self.plan),
            *hosts.virtual_hosts(self.plan),
        ]
        return Rendered(
            filename=f"apache/{file_name(self.plan)}.conf",
            lines=tuple(print_lines(nodes, dialect)),
            warnings=self._warnings(),
            needs=self._needs(),
        )

    def foreground(self, directory: Path, user: str | None) -> Foreground:
        return private.foreground(self.plan, self.render(), directory, user)

    def _check(self) -> None:
        check_applications(self.plan)
        areas.check(self.plan)
        gateways.of(self.plan).check(self.plan)

    def _introduction(self) -> list[Node]:
        version, names = Version.of(self.deployment), site_names(self.plan)
        return [
            Comment(
                f"{names}: for Apache httpd {version}, gateway {self.plan.gateway}.\n"
                "Why each line is here: manage.py deployconfig apache --explain"
            )
        ]

    def _warnings(self) -> tuple[str, ...]:
        return (
            *limits.contradictions(self.plan.sites, self.deployment),
            *without_websockets(self.plan),
            *without_tls(self.plan),
            *areas.warnings(self.plan),
            *gateways.of(self.plan).warnings(self.plan),
        )

    def _needs(self) -> Needs:
        return Needs(
            modules=_modules(self.plan),
            packages=("apache2", *gateways.of(self.plan).packages(self.plan), *self._module()),
            access=(
                *(one for site in self.plan.sites for one in site_access(self.plan, site)),
                *areas.access(self.plan),
            ),
            steps=tuple(step for site in self.plan.sites for step in admin_steps(self.plan, site)),
            remarks=remarks.remarks(self.plan),
        )

    def _module(self) -> tuple[str, ...]:
        return (protected.PACKAGE,) if protected.uses_module(self.plan) else ()


def _modules(plan: Plan) -> tuple[str, ...]:
    modern = Version.of(plan.deployment).modern
    modules = {"alias", "dir", "env", "headers", "mime", "reqtimeout"}
    modules.add("authz_core" if modern else "authz_host")
    modules |= gateways.of(plan).modules(plan) | areas.modules(plan)
    if protected.uses_module(plan):
        modules.add(protected.MODULE)
    if protected.redirects(plan):
        modules.add("setenvif")
    if modern and any(site.static and site.static.twins for site in plan.sites):
        modules.add("rewrite")
    for site in plan.sites:
        if site.tls:
            modules |= {"ssl", "socache_shmcb"}
            if site.hosts.suffixes or site.hosts.anything:
                modules.add("rewrite")
    return tuple(sorted(modules))
