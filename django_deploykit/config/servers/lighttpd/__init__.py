"""lighttpd in front of an application server.

Manual: https://redmine.lighttpd.net/projects/lighttpd/wiki.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django_deploykit.config import limits, path_hosts
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import SiteFacts
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
from django_deploykit.config.renderer import (
    Access,
    Foreground,
    Needs,
    Rendered,
    Renderer,
    site_access,
)
from django_deploykit.config.servers.lighttpd import (
    addresses,
    areas,
    backends,
    content,
    gateway,
    hosts,
    installed,
    private,
)
from django_deploykit.config.servers.lighttpd.dialect import (
    Version,
    check_version,
    dialect,
    pair,
    values,
)
from django_deploykit.config.syntax.nodes import Comment, Node, block, directive
from django_deploykit.config.syntax.printer import print_lines
from django_deploykit.exceptions import ChoiceError

# Seconds. As long as the slowest client may keep all who come anew waiting, at each reload.
_GRACE = 10


class LighttpdRenderer(Renderer):
    """A site file for lighttpd: what Debian keeps in ``conf-available``."""

    name = "lighttpd"
    summary = "lighttpd in front of an application server (http, uwsgi, fastcgi or scgi), or CGI"
    gateways = ("http", "uwsgi", "fastcgi", "scgi", "cgi")
    path_hosts = ("http",)
    guards = asks = gateways
    balancing = pooling = ("http", "uwsgi", "fastcgi", "scgi")
    logs = Logs(owner="www-data", group="www-data", reopen="invoke-rc.d lighttpd reopen-logs")

    @classmethod
    def installed(cls, deployment: Deployment) -> Deployment:
        return installed.fill(deployment)

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return [(plan.interface, plan.for_site(site)) for site in plan.sites]

    def render(self) -> Rendered:
        self._check()
        nodes = [*self._introduction(), *self._server_level(), *hosts.conditions(self.plan)]
        return Rendered(
            filename=f"lighttpd/{file_name(self.plan)}.conf",
            lines=tuple(print_lines(nodes, dialect)),
            warnings=self._warnings(),
            needs=self._needs(),
        )

    def foreground(self, directory: Path, user: str | None) -> Foreground:
        return private.foreground(self.plan, self.render(), directory, user)

    def _check(self) -> None:
        check_version(self.deployment)
        check_applications(self.plan)
        areas.check(self.plan)
        check_sockets(self.plan)
        backends.check(self.plan)
        if self.plan.finds_files:
            # Measured: mod_setenv works once for a request, before mod_rewrite looks for a file
            # (url.rewrite-if-not-file), and not again for the URL that it rewrites to.
            raise ChoiceError(
                "static_lookup='file': lighttpd cleans a request and chooses its headers before "
                "it looks for a file, so that what holds for files would hold for Django too. "
                "Leave it at 'url'."
            )

    def _introduction(self) -> list[Node]:
        version = Version.of(self.deployment)
        return [
            Comment(
                f"{site_names(self.plan)}: for lighttpd {version}, gateway {self.plan.gateway}.\n"
                "Why each line is here: manage.py deployconfig lighttpd --explain"
            )
        ]

    def _server_level(self) -> list[Node]:
        """What lighttpd keeps for the whole server, outside of every condition."""
        nodes: list[Node] = [
            values("server.modules +=", self._modules(), "in this order"),
            Comment("Conditions and applications see one and the same path, decoded once."),
            _parse_options(),
            _feature_flags(),
            Comment("Only a proxy may say these things; this server is the edge."),
            gateway.cleaned(),
        ]
        if any(_serves_files(site) for site in self.plan.sites):
            nodes += [Comment("Media types"), content.media_types()]
        if self._compresses():
            why = "compressed files are kept here; must exist and be the server's own"
            nodes.append(directive("deflate.cache-dir :=", content.CACHE, why=why))
        return nodes

    def _modules(self) -> list[str]:
        found = ["mod_setenv"]
        if any(site.static and site.static.hashed for site in self.plan.sites):
            # It has to come before mod_setenv, which adds to the header that this one begins.
            found.insert(0, "mod_expire")
        if self._compresses():
            # Before mod_setenv: it keeps nothing of a response that has a Vary, so that each one
            # was compressed anew ("precompressed ÷ on the fly" of the benchmark: 1 for 80).
            found.insert(0, "mod_deflate")
        if self._secure():
            found.append("mod_openssl")
        if self.plan.asking():
            found.append(areas.MODULE)
        # Each name that takes something away needs its module, or is unknown.
        if any(site.documents for site in self.plan.sites):
            found.append(content.LISTING)
        found += [gateway.module(self.plan), *gateway.HANDLERS, gateway.REWRITER]
        return [*dict.fromkeys(found), "mod_accesslog"]

    def _compresses(self) -> bool:
        return any(self.plan.static_mounts(site) for site in self.plan.sites)

    def _secure(self) -> bool:
        return any(site.tls for site in self.plan.sites)

    def _warnings(self) -> tuple[str, ...]:
        return (
            *limits.contradictions(self.plan.sites, self.deployment),
            *path_hosts.warnings(self.plan),
            *without_tls(self.plan),
            *without_websockets(self.plan),
            *backends.warnings(self.plan),
        )

    def _needs(self) -> Needs:
        packages, access = ["lighttpd"], []
        if self._compresses():
            packages.append("lighttpd-mod-deflate")
            access.append(Access(Path(content.CACHE), "compressed static files", write=True))
        if self._secure():
            packages.append("lighttpd-mod-openssl")
        access += [one for site in self.plan.sites for one in site_access(self.plan, site)]
        return Needs(
            packages=tuple(packages),
            access=tuple(access),
            steps=tuple(step for site in self.plan.sites for step in admin_steps(self.plan, site)),
            remarks=addresses.remarks(self.plan),
        )


def _parse_options() -> Node:
    why = "what is refused, and what is answered, is decided by the same path"
    options = (
        "url-normalize-unreserved",
        "url-ctrls-reject",
        "url-path-2f-decode",
        "url-path-dotseg-remove",
    )
    entries = [pair(option, "enable", why=why) for option in options]
    return block("server.http-parseopts :=", children=entries, why=why)


def _feature_flags() -> Node:
    """How long a reload waits for running requests. Debian's own file says 5, and to say it again
    with += is an error."""
    why = "a reload lets running requests end, and lets new connections wait for that"
    entry = pair("server.graceful-shutdown-timeout", _GRACE, why=why)
    return block("server.feature-flags :=", children=[entry], why=why)


def _serves_files(site: SiteFacts) -> bool:
    return bool(site.static or site.media or site.root_files or site.documents or site.areas)
