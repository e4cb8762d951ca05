"""uWSGI behind a front server, over any of its four protocols.

Manual: https://uwsgi-docs.readthedocs.io/en/latest/Options.html
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from django_deploykit.config import limits
from django_deploykit.config.appservers import installed
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan, Service
from django_deploykit.config.renderer import Foreground, Needs, Rendered, Renderer, site_access
from django_deploykit.config.syntax import uwsgi
from django_deploykit.config.syntax.nodes import Comment, Node, directive
from django_deploykit.config.syntax.printer import Dialect, Line, print_lines
from django_deploykit.exceptions import CannotRun, ChoiceError

dialect = cast(Dialect, uwsgi)

_SOCKETS = {
    "uwsgi": "uwsgi-socket",
    "http": "http-socket",
    "fastcgi": "fastcgi-socket",
    "scgi": "scgi-socket",
}
# Of die-on-term alone, a request that runs at SIGTERM gets no answer. unbit/uwsgi issue 849.
_GENTLY = "unix_signal:15 gracefully_kill_them_all"


class UwsgiRenderer(Renderer):
    """A uWSGI ini file for one site behind a front server."""

    name = "uwsgi"
    summary = "uWSGI behind a front server (uwsgi, http, fastcgi or scgi)"
    gateways = ("uwsgi", "http", "fastcgi", "scgi")
    protocols = gateways
    reload = "HUP"
    answers_clients = False

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return [("wsgi", plan)]

    def render(self) -> Rendered:
        site = self._site()
        lines = print_lines(self._options(site), dialect)
        return Rendered(
            filename=self._file_name(),
            # Its own first line, [uwsgi], has no end of its own in this format.
            lines=(Line("[uwsgi]", None), *lines),
            comment=";",
            needs=Needs(packages=(), access=tuple(site_access(self.plan, site))),
        )

    def _site(self) -> SiteFacts:
        if len(self.plan.sites) > 1:
            raise ChoiceError("target 'uwsgi': one file serves one site, not SITES.")
        site = self.plan.sites[0]
        if site.application.wsgi is None:
            raise ChoiceError(f"{site.name}: WSGI_APPLICATION is unset; nothing to run here.")
        return site

    def _options(self, site: SiteFacts) -> list[Node]:
        return [
            directive("strict", "true", why="an unknown option is a mistake, not a placeholder"),
            directive("master", "true", why="replaces workers that end"),
            directive("need-app", "true", why="no worker without the application"),
            directive("die-on-term", "true", why="SIGTERM stops, as everywhere else"),
            directive("hook-master-start", _GENTLY, why="but running requests end before it does"),
            directive("vacuum", "true", why="the socket goes with the server"),
            Comment("Where the front server finds it"),
            *self._socket(site),
            Comment("The site"),
            directive(
                "wsgi-file",
                str(self.plan.script(site)),
                why="forces the site's settings",
                setting="WSGI_APPLICATION",
            ),
            directive(
                "virtualenv",
                str(self.deployment.python_home or site.interpreter.prefix),
                why="the environment with the project's packages",
                setting="sys.prefix",
            ),
            directive(
                "chdir",
                str(site.application.root),
                why="relative paths begin at the project",
                setting="BASE_DIR",
            ),
            directive("single-interpreter", "true", why="C extensions expect the main one"),
            *self._locale(),
            Comment("Sizes and seconds"),
            *self._sizes(),
            Comment("Logs"),
            *self._logs(),
        ]

    def _socket(self, site: SiteFacts) -> list[Node]:
        socket = self.plan.socket(site)
        nodes: list[Node] = [
            directive(
                _SOCKETS[self.plan.gateway],
                str(socket),
                why="the front's gateway",
                setting="socket",
            )
        ]
        if isinstance(socket, Path):
            nodes.append(
                directive("chmod-socket", "660", why="for its user and group, nobody else")
            )
        return [
            *nodes,
            directive("listen", limits.BACKLOG, why="a full queue of a unix socket is a 502"),
        ]

    def _locale(self) -> list[Node]:
        why, locale = "any file name can be stored", self.deployment.locale
        return [
            directive("env", f"{name}={locale}", why=why, setting="locale")
            for name in ("LANG", "LC_ALL")
        ]

    def _logs(self) -> list[Node]:
        # "uwsgi ÷ uWSGI's documentation, hello" of the benchmark.
        why = "the front logs each request, with what it took"
        failed = "but one that failed is also said here, where its traceback is"
        return [
            directive("disable-logging", "true", why=why),
            directive("log-5xx", "true", why=failed),
        ]

    def _sizes(self) -> list[Node]:
        deployment = self.deployment
        return [
            directive("processes", deployment.processes, why="workers", setting="processes"),
            directive("threads", deployment.threads, why="in each worker", setting="threads"),
            directive(
                "buffer-size",
                limits.REQUEST_HEAD,
                why="all that a front lets in, and adds; its default is 4096",
            ),
            *self._limit(),
            directive(
                "worker-reload-mercy",
                limits.reload_timeout(deployment),
                why="running requests end before a reload",
                setting="request_timeout",
            ),
        ]

    def _limit(self) -> list[Node]:
        """One clock for all threads would end streams, and miss a thread that hangs beside a busy
        one: the script looks after several (handlers/hanging.py)."""
        why, setting = "a request that hangs costs its worker", "request_timeout"
        seconds = limits.application_timeout(self.deployment)
        return [
            directive("set-placeholder", f"{name}={value}", why=why, setting=setting)
            for name, value in limits.watched(self.deployment)
        ] or [directive("harakiri", seconds, why=why, setting=setting)]

    def foreground(self, directory: Path, user: str | None) -> Foreground:
        if problem := installed.missing(self.name):
            raise CannotRun(problem)
        binary = Path(sys.executable).with_name("pyuwsgi")
        command = (str(binary), "--ini", str(directory / self._file_name()))
        return Foreground(
            files={},
            command=command,
            check=(*command, "--show-config", "--no-server"),
            drops=False,
        )

    def service(self) -> Service:
        site = self.plan.sites[0]
        python = self.plan.python(site)
        options = str(self.plan.emitted(site, self._file_name()))
        # To reload, it starts its own program anew, and would take the Python that the
        # environment was made from: there is no uWSGI.
        again = ("--binary-path", str(python))
        return Service(
            command=(str(python.with_name("pyuwsgi")), "--ini", options, *again),
            stop_seconds=self.deployment.request_timeout,
            reload=self.reload,
            notifies=True,
        )

    def _file_name(self) -> str:
        return f"uwsgi/{self.plan.name(self.plan.sites[0])}.ini"
