"""An asgi.py for one site that assigns its settings module, whatever the environment says."""

from __future__ import annotations

from django_deploykit.config.renderer import Rendered, Renderer
from django_deploykit.config.scripts.entry import entry_lines


class AsgiScriptRenderer(Renderer):
    """The ASGI script that uvicorn, granian or any other ASGI server loads."""

    name = "asgi"
    summary = "an asgi.py that forces the settings module of its site"
    gateways = ("script",)

    def render(self) -> Rendered:
        site = self.plan.sites[0]
        # Without ASGI_APPLICATION the project still has Django's own ASGI application.
        dotted = site.application.asgi or "django.core.asgi.get_asgi_application"
        return Rendered(
            filename=f"asgi/{site.name}_asgi.py",
            lines=entry_lines(self.plan, site, dotted),
        )
