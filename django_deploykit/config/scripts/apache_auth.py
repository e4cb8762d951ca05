"""What Apache's own processes run to ask Django about a user, in areas that are for some."""

from __future__ import annotations

from collections.abc import Sequence

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Rendered, Renderer
from django_deploykit.config.scripts.entry import bootstrapped, other_sites, site_of

_HOOKS = """
    # Apache finds them by these names (WSGIAuthUserScript, WSGIAuthGroupScript, WSGIAccessScript).
    from django_deploykit.handlers.modwsgi import allow_access, check_password, groups_for_user
"""


class ApacheAuthRenderer(Renderer):
    """The script of mod_wsgi's authentication hooks, for one site and all of its areas."""

    name = "apache-auth"
    summary = "a script by which Apache's mod_wsgi knows Django's users"
    gateways = ("script",)

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        return other_sites(plan, cls.name)

    def render(self) -> Rendered:
        site = site_of(self.plan, self.name)
        return Rendered(filename=file_name(site), lines=bootstrapped(self.plan, site, _HOOKS))


def file_name(site: SiteFacts) -> str:
    """Where the script lies in the written set."""
    return f"apache/{site.name}_auth.py"
