"""Twisted's WSGI container behind a front server.

Manual: https://docs.twisted.org/en/stable/web/howto/web-in-60/wsgi.html
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from django_deploykit.config.renderer import (
    Foreground,
    Needs,
    Plan,
    Rendered,
    Renderer,
    site_access,
)
from django_deploykit.config.scripts.launch import (
    CHECK,
    launching,
    locale_variables,
    only_site,
)
from django_deploykit.exceptions import CannotRun

_TEXT = """
    from django_deploykit.handlers.twisted import serve

    if __name__ == "__main__":
        serve(
            application,
            address=<<address>>,
            processes=<<processes>>,
            threads=<<threads>>,
            seconds=<<seconds>>,
        )
"""


class TwistedRenderer(Renderer):
    """A start script for one site: Twisted's HTTP server, in processes and threads."""

    name = "twisted"
    summary = "Twisted's WSGI container behind a front server (http)"
    gateways = ("http",)
    protocols = gateways
    answers_clients = False

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return [("wsgi", plan)]

    def render(self) -> Rendered:
        site = only_site(self.plan, self.name)
        lines = launching(
            self.plan,
            site,
            _TEXT,
            address=self.plan.socket_address(site),
            processes=self.deployment.processes,
            threads=self.deployment.threads,
            seconds=self.deployment.request_timeout,
        )
        return Rendered(
            filename=self._file_name(),
            lines=lines,
            needs=Needs(access=tuple(site_access(self.plan, site))),
        )

    def foreground(self, directory: Path, user: str | None) -> Foreground:
        if importlib.util.find_spec("twisted") is None:
            message = "Twisted is not installed here: pip install 'django-deploykit[twisted]'."
            raise CannotRun(message)
        path = str(directory / self._file_name())
        return Foreground(
            files={},
            command=(sys.executable, path),
            check=(sys.executable, "-c", CHECK, path),
            environment=locale_variables(self.plan),
            drops=False,
        )

    def _file_name(self) -> str:
        # Not the bare name of the site, which a module of the project may have.
        return f"twisted/{self.plan.sites[0].name}_twisted.py"
