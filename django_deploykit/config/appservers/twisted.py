"""Twisted's WSGI container behind a front server.

Manual: https://docs.twisted.org/en/stable/web/howto/web-in-60/wsgi.html
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django_deploykit.config import launcher
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Foreground, Rendered, Renderer

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
    reload = "HUP"
    answers_clients = False

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return [("wsgi", plan)]

    def render(self) -> Rendered:
        site = launcher.only_site(self.plan, self.name)
        lines = launcher.serving(
            self.plan,
            site,
            _TEXT,
            address=self.plan.socket_address(site),
            processes=self.deployment.processes,
            threads=self.deployment.threads,
            seconds=self.deployment.request_timeout,
        )
        return launcher.rendered(self.plan, site, self._file_name(), lines)

    def foreground(self, directory: Path, user: str | None) -> Foreground:
        return launcher.foreground(self.plan, self.name, directory / self._file_name())

    def _file_name(self) -> str:
        # Not the bare name of the site, which a module of the project may have.
        return f"twisted/{self.plan.name(self.plan.sites[0])}_twisted.py"
