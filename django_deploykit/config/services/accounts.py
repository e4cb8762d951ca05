"""Whom a site's services run as, and who may reach them."""

from __future__ import annotations

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.registry import renderers
from django_deploykit.config.renderer import Renderer

# The application's, unless one is chosen: that of every front which does not say otherwise.
USUAL = Renderer.account


def front(plan: Plan) -> str:
    """The account of this stack's front; it has to be let in by the group of that name."""
    return renderers()[plan.front].account


def user(deployment: Deployment) -> str:
    """The user of the application's processes; unless one is chosen, the usual web server's."""
    return deployment.user or USUAL


def group(deployment: Deployment) -> str | None:
    """Their group; None is the own one of a user that was chosen without a group."""
    return deployment.group or (None if deployment.user else USUAL)


def unit_name(plan: Plan, site: SiteFacts, kind: str = "django") -> str:
    """The name of a site's units: never that of a unit of the system, such as ``ssh``."""
    return f"{kind}-{plan.name(site)}"


def file_name(plan: Plan) -> str:
    """The name of a file for a whole stack."""
    return unit_name(plan, plan.sites[0]) if len(plan.sites) == 1 else "django-sites"
