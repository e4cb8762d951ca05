"""An asgi.py for one site that assigns its settings module, whatever the environment says."""

from __future__ import annotations

from collections.abc import Sequence

from django_deploykit.config.plan import Plan, script_name
from django_deploykit.config.renderer import Rendered, Renderer
from django_deploykit.config.scripts.entry import entry_lines, other_sites, site_of

_BEHIND = """
    from django_deploykit.handlers.behind_asgi import behind_front

    # What the front server says, and nothing that a client says.
    application = behind_front(
        application,
        front=<<front>>,
        prefix=<<prefix>>,
        data=<<data>>,
        limit=<<limit>>,
    )
"""


class AsgiScriptRenderer(Renderer):
    """The ASGI script that uvicorn, granian or any other ASGI server loads."""

    name = "asgi"
    summary = "an asgi.py that forces the settings module of its site"
    gateways = ("script",)
    interface = "asgi"

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return other_sites(plan, cls.name)

    def render(self) -> Rendered:
        site = site_of(self.plan, self.name)
        # Without ASGI_APPLICATION the project still has Django's own ASGI application.
        dotted = site.application.asgi or "django.core.asgi.get_asgi_application"
        return Rendered(
            filename=script_name(self.plan, site),
            lines=entry_lines(
                self.plan,
                site,
                dotted,
                "ASGI_APPLICATION",
                _BEHIND if self.plan.app_server else "",
            ),
        )
