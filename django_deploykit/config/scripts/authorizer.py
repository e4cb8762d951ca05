"""The program that Apache without mod_wsgi, lighttpd and nginx ask who may enter an area."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from django_deploykit import contract
from django_deploykit.config import launcher
from django_deploykit.config.authorizers import without_files
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan, Service
from django_deploykit.config.renderer import Foreground, Rendered, Renderer
from django_deploykit.config.scripts.entry import bootstrapped, other_sites, site_of
from django_deploykit.config.values import Address

_SERVE = """
    from django.core.management import call_command

    if __name__ == "__main__":
        # Each question names its policy and its site: one without gets an error.
        call_command(
            "runauthorizer", bind=<<bind>>, policy="", realm=<<name>>, site=<<name>>
        )
"""


# No settings are loaded for a check: those of the project were read to write this.
_PARSE = "import ast, pathlib, sys; ast.parse(pathlib.Path(sys.argv[1]).read_text())"


class AuthorizerRenderer(Renderer):
    """``manage.py runauthorizer`` for one site and all of its areas, as its front asks it."""

    name = "authorizer"
    summary = "a program by which Apache without mod_wsgi, lighttpd or nginx knows Django's users"
    gateways = ("fastcgi",)
    answers_clients = False

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return other_sites(plan, cls.name)

    def render(self) -> Rendered:
        site = site_of(self.plan, self.name)
        values = {"bind": str(self.address(site)), "name": site.name}
        lines = bootstrapped(self.plan, site, _SERVE, **values)
        return launcher.rendered(self.plan, without_files(site), self._file_name(site), lines)

    def address(self, site: SiteFacts) -> Path | Address:
        """Where it listens: where the front asks, or else the choice or the command's default."""
        usual = Address(contract.AUTHORIZER_HOST, contract.AUTHORIZER_PORT)
        return self.plan.authorizers.get(site.name) or self.deployment.authorizer or usual

    def foreground(self, directory: Path, user: str | None) -> Foreground:
        name = self._file_name(self.plan.sites[0])
        run = launcher.foreground(self.plan, "django", directory / name)
        return replace(run, check=(sys.executable, "-c", _PARSE, str(directory / name)))

    def service(self) -> Service:
        site = self.plan.sites[0]
        program = self.plan.emitted(site, self._file_name(site))
        return Service(
            command=(str(self.plan.python(site)), str(program)),
            stop_seconds=self.deployment.request_timeout,
            takes_socket=True,
            what="the authorizer",
            kind="authorizer",
            address=self.address(site),
        )

    def _file_name(self, site: SiteFacts) -> str:
        return f"{self.plan.front}/{site.name}_authorizer.py"
