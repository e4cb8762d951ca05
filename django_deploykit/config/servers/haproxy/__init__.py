"""HAProxy in front of one or several application servers, over HTTP.

Manual: https://docs.haproxy.org/2.6/configuration.html
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django_deploykit.config import limits
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.fronts import (
    check_applications,
    check_sockets,
    file_name,
    site_names,
    without_websockets,
)
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Foreground, Needs, Rendered, Renderer, site_access
from django_deploykit.config.servers.haproxy import backends, frontend, installed, private
from django_deploykit.config.servers.haproxy.dialect import OLDEST, Version, dialect
from django_deploykit.config.syntax import haproxy
from django_deploykit.config.syntax.nodes import Comment
from django_deploykit.config.versions import refuse_older
from django_deploykit.exceptions import ChoiceError

# Measured: docs/howto/slow-clients.
_SLOW_CLIENTS = (
    "slow clients: HAProxy stores no body and no answer: one that arrives slowly, or is read "
    "slowly, holds a thread of the application; nginx and lighttpd store both"
)


class HaproxyRenderer(Renderer):
    """A file for HAProxy, to be read after its own: ``-f haproxy.cfg -f THIS``."""

    name = "haproxy"
    summary = "HAProxy in front of application servers (http), which send the static files"
    gateways = balancing = pooling = ("http",)
    path_hosts = ()
    sends_files = False
    asks_health = True
    # The package's haproxy.cfg names it, and HAProxy is in no other group: it drops them all.
    account = "haproxy"

    @classmethod
    def installed(cls, deployment: Deployment) -> Deployment:
        return installed.fill(deployment)

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return [(plan.interface, plan.for_site(site)) for site in plan.sites]

    def render(self) -> Rendered:
        self._check()
        head = Comment(
            f"{site_names(self.plan)}: for HAProxy {Version.of(self.deployment)}, "
            f"gateway {self.plan.gateway}.\n"
            "It is read after haproxy.cfg: -f /etc/haproxy/haproxy.cfg -f THIS FILE.\n"
            "Why each line is here: manage.py deployconfig haproxy --explain"
        )
        sections = [*frontend.sections(self.plan), *backends.sections(self.plan)]
        return Rendered(
            filename=f"haproxy/{file_name(self.plan)}.cfg",
            lines=tuple(haproxy.section_lines(dialect, [head], sections)),
            warnings=self._warnings(),
            needs=self._needs(),
        )

    def foreground(self, directory: Path, user: str | None) -> Foreground:
        return private.foreground(self.plan, self.render(), directory, user)

    def _check(self) -> None:
        refuse_older(Version.of(self.deployment), self.name, OLDEST)
        check_applications(self.plan)
        check_sockets(self.plan)
        if self.plan.app_server == "uwsgi":
            raise ChoiceError(
                "target 'haproxy': over HTTP, uWSGI takes a body in chunks for an empty one and "
                "tells no client to go on (Expect: 100-continue), and HAProxy stores no body to do "
                "so in its place. Use gunicorn, granian or twisted, or nginx in front of uWSGI."
            )
        if self.plan.finds_files:
            raise ChoiceError("static_lookup='file': HAProxy serves no files. Leave it at 'url'.")
        for site in self.plan.sites:
            if site.tls and site.tls.certificate != site.tls.key:
                raise ChoiceError(
                    f"{site.name}: HAProxy reads certificate, chain and key from one file. Put "
                    f"{str(site.tls.certificate)!r} and {str(site.tls.key)!r} into one, readable "
                    "by root alone, and name it as CERTIFICATE and as KEY of SITE['TLS']."
                )

    def _warnings(self) -> tuple[str, ...]:
        return (
            *limits.contradictions(self.plan.sites, self.deployment),
            *without_websockets(self.plan),
            *(text for site in self.plan.sites for text in _unserved(self.plan, site)),
            *backends.warnings(self.plan),
        )

    def _needs(self) -> Needs:
        return Needs(
            packages=("haproxy",),
            access=tuple(one for site in self.plan.sites for one in site_access(self.plan, site)),
            remarks=(_SLOW_CLIENTS,),
        )


def _unserved(plan: Plan, site: SiteFacts) -> list[str]:
    """What another front would answer from its files; static files come from the WSGI script."""
    asgi = plan.interface == "asgi"
    left = {
        "static files, and an ASGI script none (STATIC_URL): add WhiteNoise's middleware": (
            asgi and site.static and not site.whitenoise
        ),
        "uploaded files (MEDIA_URL)": site.media,
        "files at the root (ROOT_FILES)": site.root_files,
        "DOCUMENTS": site.documents,
        "answers to certificate authorities (ACME_WEBROOT)": site.tls,
    }
    return [f"{site.name}: HAProxy sends no {what}." for what, fact in left.items() if fact]
