"""An asgi.py for one site that assigns its settings module, whatever the environment says."""

from __future__ import annotations

from collections.abc import Sequence

from django_deploykit.config.renderer import Plan, Rendered, Renderer
from django_deploykit.config.scripts.entry import entry_lines, other_sites, site_of


class AsgiScriptRenderer(Renderer):
    """The ASGI script that uvicorn, granian or any other ASGI server loads."""

    name = "asgi"
    summary = "an asgi.py that forces the settings module of its site"
    gateways = ("script",)

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return other_sites(plan, cls.name)

    def render(self) -> Rendered:
        site = site_of(self.plan, self.name)
        # Without ASGI_APPLICATION the project still has Django's own ASGI application.
        dotted = site.application.asgi or "django.core.asgi.get_asgi_application"
        return Rendered(
            filename=f"asgi/{site.name}_asgi.py",
            lines=entry_lines(self.plan, site, dotted, "ASGI_APPLICATION"),
        )
