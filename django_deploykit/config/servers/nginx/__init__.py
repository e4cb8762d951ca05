"""nginx in front of an application server, over HTTP, uwsgi, FastCGI or SCGI.

Manual: https://nginx.org/en/docs/
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django_deploykit.config import limits
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.fronts import (
    admin_steps,
    check_applications,
    check_sockets,
    file_name,
    site_names,
    without_tls,
    without_websockets,
)
from django_deploykit.config.plan import Logs, Plan
from django_deploykit.config.renderer import Foreground, Needs, Rendered, Renderer, site_access
from django_deploykit.config.servers.nginx import (
    areas,
    hosts,
    installed,
    private,
    stores,
)
from django_deploykit.config.servers.nginx.dialect import OLDEST, Version, dialect
from django_deploykit.config.servers.nginx.directives import WORDS
from django_deploykit.config.syntax.nodes import Comment, Node
from django_deploykit.config.syntax.printer import print_lines
from django_deploykit.config.values import Address
from django_deploykit.config.versions import refuse_older
from django_deploykit.exceptions import UnrepresentableValue

# What fits into nginx's default server_names_hash_bucket_size of 64 bytes.
_LONGEST_NAME = 46


class NginxRenderer(Renderer):
    """A site file for nginx: what Debian keeps in ``sites-available``."""

    name = "nginx"
    path_hosts = ()
    summary = "nginx in front of an application server (http, uwsgi, fastcgi or scgi)"
    gateways = guards = asks = balancing = pooling = tuple(WORDS)
    asks_endpoints = True
    logs = Logs(owner="root", group="adm", reopen="invoke-rc.d nginx rotate")

    @classmethod
    def installed(cls, deployment: Deployment) -> Deployment:
        return installed.fill(deployment)

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return [(plan.interface, plan.for_site(site)) for site in plan.sites]

    def render(self) -> Rendered:
        self._check()
        nodes = [*self._introduction(), *hosts.http_level(self.plan), *hosts.servers(self.plan)]
        return Rendered(
            filename=f"nginx/{file_name(self.plan)}.conf",
            lines=tuple(print_lines(nodes, dialect)),
            warnings=self._warnings(),
            needs=self._needs(),
        )

    def foreground(self, directory: Path, user: str | None) -> Foreground:
        return private.foreground(self.plan, self.render(), directory, user)

    def _check(self) -> None:
        refuse_older(Version.of(self.deployment), self.name, OLDEST)
        check_applications(self.plan)
        check_sockets(self.plan)
        areas.check(self.plan)
        stores.check(self.plan)
        for part in self.plan.each():
            for backend in part.backends(*part.sites):
                self._check_socket(backend.where, "socket")
        for where in self.plan.authorizers.values():
            self._check_socket(where, "authorizer")

    def _check_socket(self, socket: Path | Address, setting: str) -> None:
        # The choice itself refuses it; a path made from a run's directory may hold one too.
        if isinstance(socket, Path) and ":" in str(socket):
            reason = "a colon ends the path of a socket in this place"
            raise UnrepresentableValue(str(socket), dialect.name, reason, setting)

    def _introduction(self) -> list[Node]:
        version = Version.of(self.deployment)
        return [
            Comment(
                f"{site_names(self.plan)}: for nginx {version}, gateway {self.plan.gateway}.\n"
                "It belongs at http level: into sites-available or conf.d.\n"
                "Why each line is here: manage.py deployconfig nginx --explain"
            )
        ]

    def _warnings(self) -> tuple[str, ...]:
        too_long = [
            f"{name!r} in {site.hosts.setting} is longer than nginx expects: put "
            "'server_names_hash_bucket_size 512;' into the http block of nginx.conf."
            for site in self.plan.sites
            for name in site.hosts.names
            if len(name) > _LONGEST_NAME
        ]
        contradictions = limits.contradictions(self.plan.sites, self.deployment)
        found = [
            *contradictions,
            *too_long,
            *without_tls(self.plan),
            *without_websockets(self.plan),
        ]
        return tuple(dict.fromkeys(found))

    def _needs(self) -> Needs:
        sites = self.plan.sites
        return Needs(
            packages=("nginx",),
            access=tuple(one for site in sites for one in site_access(self.plan, site)),
            steps=tuple(step for site in sites for step in admin_steps(self.plan, site)),
        )
