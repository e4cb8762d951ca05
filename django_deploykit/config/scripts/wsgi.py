"""A wsgi.py for one site that assigns its settings module, whatever the environment says."""

from __future__ import annotations

from django_deploykit.config.renderer import Rendered, Renderer, script_name
from django_deploykit.config.scripts.entry import entry_lines
from django_deploykit.exceptions import ChoiceError


class WsgiScriptRenderer(Renderer):
    """The WSGI script that Apache, or any WSGI server, loads."""

    name = "wsgi"
    summary = "a wsgi.py that forces the settings module of its site"
    gateways = ("script",)

    def render(self) -> Rendered:
        site = self.plan.sites[0]
        if site.application.wsgi is None:
            raise ChoiceError(f"{site.name}: WSGI_APPLICATION is unset, so there is no script.")
        return Rendered(
            filename=script_name(site),
            lines=entry_lines(self.plan, site, site.application.wsgi),
        )
