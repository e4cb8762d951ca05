"""Apache httpd with mod_wsgi, or as a proxy in front of an application server.

Manuals: https://httpd.apache.org/docs/2.4/mod/ and https://modwsgi.readthedocs.io/.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django_deploykit.config import limits
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.fronts import admin_steps
from django_deploykit.config.renderer import (
    Foreground,
    Needs,
    Plan,
    Rendered,
    Renderer,
    site_access,
)
from django_deploykit.config.servers.apache import (
    gateways,
    hosts,
    installed,
    private,
    protected,
    proxy,
)
from django_deploykit.config.servers.apache.dialect import Version, dialect
from django_deploykit.config.syntax.nodes import Comment, Node
from django_deploykit.config.syntax.printer import print_lines
from django_deploykit.exceptions import ChoiceError


class ApacheRenderer(Renderer):
    """A site file for Apache: what Debian keeps in ``sites-available``."""

    name = "apache"
    summary = "Apache httpd 2.4 (2.2 on request) with mod_wsgi, daemon or embedded, or mod_proxy"
    gateways = ("mod_wsgi", "mod_wsgi-embedded", *proxy.SPEAKS)
    path_hosts = ("http",)

    @classmethod
    def installed(cls, deployment: Deployment) -> Deployment:
        return installed.fill(deployment)

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        scripts = [("wsgi", plan.for_site(site)) for site in plan.sites]
        # Behind mod_proxy no Python runs in Apache, and its locale is the application server's.
        return scripts if gateways.is_proxy(plan) else [*scripts, ("apache-envvars", plan)]

    def render(self) -> Rendered:
        self._check()
        nodes = [
            *self._introduction(),
            *gateways.of(self.plan).server_level(self.plan),
            *hosts.virtual_hosts(self.plan),
        ]
        return Rendered(
            filename=f"apache/{self._file_name()}.conf",
            lines=tuple(print_lines(nodes, dialect)),
            warnings=self._warnings(),
            needs=self._needs(),
        )

    def foreground(self, directory: Path, user: str | None) -> Foreground:
        return private.foreground(self.plan, self.render(), directory, user)

    def _file_name(self) -> str:
        return self.plan.sites[0].name if len(self.plan.sites) == 1 else "sites"

    def _check(self) -> None:
        for site in self.plan.sites:
            if site.application.wsgi is None:
                raise ChoiceError(
                    f"{site.name}: gateway {self.plan.gateway!r} is for WSGI applications, and "
                    "WSGI_APPLICATION is unset."
                )
        gateways.of(self.plan).check(self.plan)

    def _introduction(self) -> list[Node]:
        version = Version.of(self.deployment)
        names = ", ".join(site.name for site in self.plan.sites)
        return [
            Comment(
                f"{names}: for Apache httpd {version}, gateway {self.plan.gateway}.\n"
                "Why each line is here: manage.py deployconfig apache --explain"
            )
        ]

    def _warnings(self) -> tuple[str, ...]:
        return (
            *limits.contradictions(self.plan.sites, self.deployment),
            *gateways.of(self.plan).warnings(self.plan),
        )

    def _needs(self) -> Needs:
        return Needs(
            modules=_modules(self.plan),
            packages=("apache2", *gateways.of(self.plan).packages(self.plan), *self._module()),
            access=tuple(one for site in self.plan.sites for one in site_access(self.plan, site)),
            steps=tuple(step for site in self.plan.sites for step in admin_steps(self.plan, site)),
        )

    def _module(self) -> tuple[str, ...]:
        return (protected.PACKAGE,) if protected.uses_module(self.plan) else ()


def _modules(plan: Plan) -> tuple[str, ...]:
    modern = Version.of(plan.deployment).modern
    modules = {"alias", "dir", "env", "headers", "mime", "reqtimeout"}
    modules.add("authz_core" if modern else "authz_host")
    modules |= gateways.of(plan).modules(plan)
    if protected.uses_module(plan):
        modules.add(protected.MODULE)
    if modern and any(site.static and site.static.twins for site in plan.sites):
        modules.add("rewrite")
    for site in plan.sites:
        if site.tls:
            modules |= {"ssl", "socache_shmcb"}
            if site.hosts.suffixes or site.hosts.anything:
                modules.add("rewrite")
    return tuple(sorted(modules))
