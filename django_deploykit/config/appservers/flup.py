"""flup: FastCGI and SCGI in pure Python, behind a front server or started by one.

Project: https://pypi.org/project/flup/
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django_deploykit.config import launcher
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Foreground, Rendered, Renderer

_TEXT = """
    from django_deploykit.handlers.flup import serve

    if __name__ == "__main__":
        serve(
            application,
            protocol=<<protocol>>,
            address=<<address>>,
            processes=<<processes>>,
            seconds=<<seconds>>,
        )
"""


class FlupRenderer(Renderer):
    """A FastCGI or SCGI dispatcher for one site: it listens, or is started by mod_fcgid."""

    name = "flup"
    summary = "flup behind a front server (fastcgi or scgi), or started by one (fcgid)"
    gateways = ("fastcgi", "scgi", "fcgid")
    protocols = gateways
    spawned = ("fcgid",)
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
            protocol="scgi" if self.plan.gateway == "scgi" else "fastcgi",
            address=self._address(site),
            processes=self.deployment.processes,
            seconds=self.deployment.request_timeout,
        )
        return launcher.executable(self.plan, site, file_name(self.plan, site), lines)

    def _address(self, site: SiteFacts) -> str | tuple[str, int] | None:
        """Where it listens; a front that starts it has a socket for it."""
        if self.plan.gateway in self.spawned:
            return None
        return self.plan.socket_address(site)

    def foreground(self, directory: Path, user: str | None) -> Foreground:
        path = directory / file_name(self.plan, self.plan.sites[0])
        return launcher.foreground(self.plan, self.name, path)


def file_name(plan: Plan, site: SiteFacts) -> str:
    """Where the dispatcher lies in the written set."""
    return f"flup/{plan.name(site)}.fcgi"


def script(plan: Plan, site: SiteFacts) -> Path:
    """Where the dispatcher lies on the server."""
    return plan.emitted(site, file_name(plan, site))
