"""A CGI script for one site: a Python that starts for every request.

Specification: https://www.rfc-editor.org/rfc/rfc3875
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.launcher import executable, loading, only_site
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Rendered, Renderer

_TEXT = """
    import sys
    from importlib import import_module

    from django_deploykit.handlers.cgi import answer, take_request

    # First, so that no header of a client is taken for a variable of this process.
    request = take_request()

    # This script forces the settings of its site, and believes only what the front may say.
    sys.path.insert(0, <<scripts>>)
    application = import_module(<<module>>).application

    if __name__ == "__main__":
        answer(application, request, seconds=<<seconds>>)
"""


class CgiScriptRenderer(Renderer):
    """The script that a web server starts for each request."""

    name = "cgi"
    summary = "a CGI script: a process for each request, started by the web server"
    gateways = ("cgi",)
    protocols = gateways
    spawned = gateways
    answers_clients = False

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return [("wsgi", plan)]

    def render(self) -> Rendered:
        site = only_site(self.plan, self.name)
        lines = loading(self.plan, site, _TEXT, seconds=self.deployment.request_timeout)
        return executable(self.plan, site, file_name(site), lines)


def file_name(site: SiteFacts) -> str:
    """Where the script lies in the written set."""
    return f"cgi/{site.name}.cgi"


def script(plan: Plan, site: SiteFacts) -> Path:
    """Where the script lies on the server."""
    return plan.emitted(site, file_name(site))
