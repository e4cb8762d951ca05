"""What every gateway of Apache has to say, and which module says it for a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache import cgi, fcgid, mod_wsgi, proxy, workers
from django_deploykit.config.syntax.nodes import Node


class Gateway(Protocol):
    """A way from Apache to Django. The modules of this package are its implementations."""

    def check(self, plan: Plan) -> None:
        """Raise ChoiceError for what this gateway cannot do."""

    def server_level(self, plan: Plan) -> list[Node]:
        """What stands outside of the virtual hosts."""
        ...

    def hygiene(self, plan: Plan, sites: tuple[SiteFacts, ...]) -> list[Node]:
        """What takes away whatever a client may not say."""
        ...

    def mount(self, plan: Plan, sites: tuple[SiteFacts, ...], own: Sequence[str]) -> list[Node]:
        """The rules that hand URLs to the sites of one host; it answers ``own`` itself."""
        ...

    def request_environment(self, plan: Plan, sites: tuple[SiteFacts, ...]) -> list[Node]:
        """What all sites of one host are told with every request."""
        ...

    def site_variables(self, plan: Plan, site: SiteFacts) -> list[Node]:
        """What one site alone is told."""
        ...

    def warnings(self, plan: Plan) -> list[str]:
        """What the gateway does not promise."""
        ...

    def modules(self, plan: Plan) -> set[str]:
        """The modules that this gateway needs, by the server's own names."""
        ...

    def packages(self, plan: Plan) -> tuple[str, ...]:
        """What Debian has to install besides Apache."""
        ...


# Gateways over which Apache starts processes of its own.
STARTS = {"fcgid": fcgid, "cgi": cgi}


def is_proxy(plan: Plan) -> bool:
    """Tell whether Apache hands requests on to an application server that somebody else runs."""
    return plan.gateway in workers.SPEAKS


def is_mod_wsgi(plan: Plan) -> bool:
    """Tell whether mod_wsgi runs Python, and nothing else does."""
    return not is_proxy(plan) and plan.gateway not in STARTS


def of(plan: Plan) -> Gateway:
    """The gateway of ``plan``."""
    return cast(Gateway, proxy if is_proxy(plan) else STARTS.get(plan.gateway, mod_wsgi))
