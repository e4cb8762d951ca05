"""gunicorn: behind a front server, or alone for development, containers and intranets.

Manual: https://docs.gunicorn.org/en/stable/settings.html
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from django_deploykit.config import limits
from django_deploykit.config.appservers import installed
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan, Service
from django_deploykit.config.renderer import Foreground, Needs, Rendered, Renderer, site_access
from django_deploykit.config.syntax.printer import Line
from django_deploykit.config.syntax.python import python_lines
from django_deploykit.exceptions import CannotRun, ChoiceError

_TEXT = """
    import sys

    # Not pythonpath: --check-config loads the application before gunicorn looks at that.
    sys.path.insert(0, <<scripts>>)

    bind = <<bind>>
    wsgi_app = <<wsgi_app>>
    chdir = <<chdir>>

    workers = <<workers>>
    threads = <<threads>>
    timeout = <<timeout>>
    graceful_timeout = <<graceful_timeout>>
    keepalive = <<keepalive>>
    backlog = <<backlog>>
    limit_request_line = <<request_line>>

    # Headers are believed, if at all, by the script that it loads: never by gunicorn itself.
    forwarded_allow_ips = ""
    forwarder_headers = ""
    secure_scheme_headers = {}
    header_map = "drop"

    raw_env = <<raw_env>>
    accesslog = <<accesslog>>
    errorlog = "-"
    control_socket_disable = True
"""

_BEHIND = """
    # The front refuses first, and adds some of its own.
    limit_request_fields = <<headers>>
"""

_PRIVATE = """
    # Whoever connects is believed to be the front: its user and its group may, and nobody else.
    umask = 0o117
"""

_USER = """
    import pwd

    # Started as root, it drops to this user, and to that user's own group.
    user = <<user>>
    group = pwd.getpwnam(user).pw_gid
"""

_USER_AND_GROUP = """
    # Started as root, it drops to this user and group.
    user = <<user>>
    group = <<group>>
"""


class GunicornRenderer(Renderer):
    """A gunicorn.conf.py for one site; alone, its static files come through WhiteNoise."""

    name = "gunicorn"
    summary = "gunicorn alone, with WhiteNoise for static files (no front server)"
    gateways = ("http",)
    # Its uwsgi parser decodes the path twice, and drops REMOTE_ADDR and every other parameter.
    protocols = ("http",)
    stands_alone = True
    reload = "HUP"

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return [("wsgi", plan)]

    def render(self) -> Rendered:
        site, deployment, alone = self._site(), self.deployment, self.plan.stands_alone
        lines = python_lines(
            _TEXT,
            bind=self._bind(site),
            keepalive=self._keep_alive(),
            backlog=limits.BACKLOG,
            request_line=limits.REQUEST_LINE,
            wsgi_app=f"{self.plan.script(site).stem}:application",
            scripts=str(self.plan.script(site).parent),
            chdir=str(site.application.root),
            workers=deployment.processes,
            threads=deployment.threads,
            timeout=limits.application_timeout(deployment),
            graceful_timeout=limits.reload_timeout(deployment),
            # A front logs each request, with what it took: again here is a fifth of a trivial view
            # ("nginx ÷ the usual tutorial, hello" of the benchmark).
            accesslog="-" if alone else None,
            raw_env=self._environment(),
        )
        lines += self._behind(site)
        if deployment.user:
            account = _USER_AND_GROUP if deployment.group else _USER
            lines += (Line("", None),)
            lines += python_lines(account, user=deployment.user, group=deployment.group)
        return Rendered(
            filename=self._file_name(),
            lines=lines,
            warnings=self._warnings(site),
            needs=Needs(access=tuple(site_access(self.plan, site))),
        )

    def _keep_alive(self) -> int:
        """In a cluster as behind a front: its gateway keeps connections for requests to come."""
        clients = self.plan.stands_alone and not self.plan.in_container
        return limits.CLIENT_KEEP_ALIVE if clients else limits.FRONT_KEEP_ALIVE

    def _behind(self, site: SiteFacts) -> tuple[Line, ...]:
        """What only a gunicorn that has a front says."""
        if self.plan.stands_alone:
            return ()
        headers = limits.HEADERS + limits.HEADERS_ADDED
        lines = (Line("", None), *python_lines(_BEHIND, headers=headers))
        if isinstance(self.plan.socket(site), Path):
            return (*lines, Line("", None), *python_lines(_PRIVATE))
        return lines

    def _environment(self) -> list[str]:
        locale = self.deployment.locale
        pairs = [("LANG", locale), ("LC_ALL", locale), *limits.watched(self.deployment)]
        return [f"{name}={value}" for name, value in pairs]

    def _bind(self, site: SiteFacts) -> list[str]:
        if self.plan.stands_alone:
            return [str(address).removeprefix("*") for address in self.deployment.listen]
        socket = self.plan.socket(site)
        return [f"unix:{socket}" if isinstance(socket, Path) else str(socket)]

    def _site(self) -> SiteFacts:
        """The only site. Raise ChoiceError for what gunicorn cannot do."""
        if len(self.plan.sites) > 1:
            raise ChoiceError("target 'gunicorn': one gunicorn serves one site, not SITES.")
        site = self.plan.sites[0]
        if site.tls and self.plan.stands_alone and not self.plan.in_container:
            raise ChoiceError("target 'gunicorn': it does not end TLS; use target 'apache'.")
        if site.application.wsgi is None:
            raise ChoiceError(f"{site.name}: WSGI_APPLICATION is unset; nothing to run here.")
        return site

    def _warnings(self, site: SiteFacts) -> tuple[str, ...]:
        """What a front server would answer, and gunicorn alone leaves to Django."""
        if not self.plan.stands_alone:
            return ()
        left = {
            "uploaded files (MEDIA_URL)": site.media,
            "files at the root (ROOT_FILES)": site.root_files,
            "DOCUMENTS": site.documents,
            # Of a container, what stands in front knows them (config/platforms/routes.py).
            "ROUTES": not self.plan.in_container and site.routes,
        }
        return tuple(
            f"{site.name}: gunicorn alone does not serve {what}; Django is asked for those URLs."
            for what, fact in left.items()
            if fact
        )

    def foreground(self, directory: Path, user: str | None) -> Foreground:
        if problem := installed.missing(self.name):
            raise CannotRun(problem)
        command = (sys.executable, "-m", "gunicorn", "-c", str(directory / self._file_name()))
        # gunicorn drops to the user that its configuration names.
        return Foreground(files={}, command=command, check=(*command, "--check-config"))

    def service(self) -> Service:
        site = self.plan.sites[0]
        settings = self.plan.emitted(site, self._file_name())
        return Service(
            command=(str(self.plan.python(site)), "-m", "gunicorn", "-c", str(settings)),
            stop_seconds=self.deployment.request_timeout,
            reload=self.reload,
            notifies=True,
            takes_socket=True,
        )

    def _file_name(self) -> str:
        return f"gunicorn/{self.plan.name(self.plan.sites[0])}_gunicorn.py"
