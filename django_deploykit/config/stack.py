"""From a target's name to a stack: front server × gateway × application server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from django_deploykit.config import authorizers, installed, possible, sizing
from django_deploykit.config.container import contained
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.registry import renderers
from django_deploykit.config.renderer import Needs, Rendered, Renderer
from django_deploykit.exceptions import ChoiceError, unknown


@dataclass(frozen=True)
class Stack:
    """A renderer and the gateway through which it reaches Django."""

    renderer: type[Renderer]
    gateway: str
    app_server: type[Renderer] | None = None

    @property
    def label(self) -> str:
        """The name of this stack in emitted files, e.g. "apache/mod_wsgi"."""
        return f"{self._subject.name}/{self.gateway}"

    @property
    def _subject(self) -> type[Renderer]:
        """Whose stack this is: a service that is asked for alone is its application server's."""
        alone = self.renderer.runs_app_server and self.app_server
        return alone or self.renderer

    @property
    def _alone(self) -> bool:
        """Whether clients ask the application server itself."""
        return self._subject.stands_alone

    def plan(
        self, sites: Sequence[SiteFacts], deployment: Deployment, directory: Path | None = None
    ) -> Plan:
        """What this stack's renderers are given; ``directory`` is where files will lie.

        Raise ChoiceError for a choice that the front does not have.
        """
        self.check(deployment, sites)
        plan = Plan(
            sites=tuple(sites),
            deployment=self._completed(deployment, sites),
            label=self.label,
            gateway=self.gateway,
            directory=directory,
            stands_alone=self._alone,
            app_server=self.behind_front,
            interface=(self.app_server or self.renderer).interface,
            front_sends_files=self.renderer.sends_files,
        )
        return self.placed(plan)

    def check(self, deployment: Deployment, sites: Sequence[SiteFacts] = ()) -> None:
        """Raise ChoiceError for what this stack cannot do."""
        possible.check(self.renderer, self.gateway, sites, deployment, alone=self._alone)

    def _completed(self, deployment: Deployment, sites: Sequence[SiteFacts]) -> Deployment:
        """The choices with what was not made taken from this machine; none of it is for a
        container's size."""
        found = self.renderer.installed(deployment)
        if self.renderer.in_container:
            return found
        return sizing.sized(found, sites, installed.host())

    def placed(self, plan: Plan) -> Plan:
        """The plan with the paths of the place it is for, where its front asks about areas, and for
        a service or platform that is asked for alone, how its application server runs.

        Raise ChoiceError for a choice by which the front could not ask.
        """
        container = self.renderer.in_container
        return self._with_own_service(contained(plan) if container else self._asking(plan))

    @property
    def behind_front(self) -> str:
        """The application server behind a front, be it this stack's or the target itself."""
        if self.app_server and self._subject is self.renderer:
            return self.app_server.name
        needs_front = self._subject.protocols and not self._subject.stands_alone
        return self._subject.name if needs_front else ""

    def _asking(self, plan: Plan) -> Plan:
        """The plan with where the front asks about areas, if it asks a program for that."""
        if plan.gateway not in self.renderer.asks:
            return plan
        chosen, sites = plan.deployment.authorizer, plan.sites
        if self.renderer.asks_endpoints and not chosen:
            sites = tuple(site for site in sites if not site.has_endpoints)
        over_sockets = self.renderer.asks_over_sockets
        found = authorizers.addresses(sites, chosen, over_sockets=over_sockets)
        return replace(plan, authorizers=found)

    def _with_own_service(self, plan: Plan) -> Plan:
        if not (self.renderer.runs_app_server and self.app_server):
            return plan
        return replace(plan, service=self.app_server(plan).service())

    def render(self, plan: Plan, *, services: bool = True) -> list[Rendered]:
        """The target's own text first, then, where files are written, its companions', and those
        of the ``services`` that run them once they are installed. Nothing in an image needs, or
        may touch, anything of this host."""
        rendered = self._rendered(plan, services=services)
        if plan.in_container:
            return [replace(one, needs=Needs()) for one in rendered]
        return rendered

    def _rendered(self, plan: Plan, *, services: bool) -> list[Rendered]:
        rendered = [self.renderer(plan).render()]
        if plan.directory:
            known = renderers()
            rendered += [one.render() for one in self.app_servers(plan)]
            companions = self.renderer.companions(plan) if plan.runs_application else ()
            rendered += [known[name](part).render() for name, part in companions]
            rendered += [one.render() for one in self.authorizers(plan)]
            rendered += [one.render() for one in self.services(plan) if services]
        return rendered

    def services(self, plan: Plan) -> list[Renderer]:
        """What the operating system has to be told: each service says what it belongs to. In a
        container there is none to tell."""
        if plan.in_container:
            return []
        beside = [
            replace(
                plan.for_site(authorizers.without_files(one.plan.sites[0])), service=one.service()
            )
            for one in self.authorizers(plan)
        ]
        whole = replace(plan, logs=self.renderer.logs, beside=tuple(beside))
        sites = [self._with_service(part) for part in whole.each()]
        return [
            renderer(part)
            for renderer in renderers().values()
            for part in renderer.accompanies(whole, sites)
        ]

    def _with_service(self, plan: Plan) -> Plan:
        """The plan of one site or pool, with how its application server runs, where that has to be
        run."""
        server = self.renderer if self.renderer.protocols else self.app_server
        if server is None or plan.gateway in server.spawned or not plan.runs_application:
            return plan
        return replace(plan, service=server(plan).service())

    def app_servers(self, plan: Plan) -> list[Renderer]:
        """The application servers behind the front, one for each site and each of its pools."""
        if self.app_server is None or not plan.runs_application:
            return []
        return [self.app_server(part) for part in plan.each()]

    def authorizers(self, plan: Plan) -> list[Renderer]:
        """What the front asks about areas, one program for each site that has some."""
        asked = renderers()["authorizer"]
        return [asked(plan.for_site(site)) for site in plan.asking()]

    def running(self, plan: Plan) -> list[Renderer]:
        """Those of them that have to be run, because the front does not start them itself."""
        return [one for one in self.app_servers(plan) if plan.gateway not in one.spawned]


def resolve(
    target: str,
    gateway: str | None = None,
    app_server: str | None = None,
    sites: Sequence[SiteFacts] = (),
) -> Stack:
    """Find the stack, with the application server that fits ``sites`` unless one is named.

    Raise ChoiceError for an unknown target or an impossible pair.
    """
    known = renderers()
    if target not in known:
        raise ChoiceError(unknown("target", target, "manage.py", known))
    renderer = known[target]
    if gateway is not None and gateway not in renderer.gateways:
        raise ChoiceError(unknown("gateway", gateway, f"target {target!r}", renderer.gateways))
    chosen = gateway or renderer.gateways[0]
    return Stack(renderer, chosen, _app_server(target, chosen, app_server, sites))


def needs_asgi(sites: Sequence[SiteFacts]) -> bool:
    """Tell whether some site cannot do without ASGI: it takes websockets, or has nothing else."""
    return any(site.websockets or not site.application.wsgi for site in sites)


def _app_server(
    target: str, gateway: str, name: str | None, sites: Sequence[SiteFacts]
) -> type[Renderer] | None:
    """The application server behind a gateway: the one named, or the best that speaks it."""
    if renderers()[target].protocols:
        fitting: list[type[Renderer]] = []  # It is an application server itself.
    else:
        fitting = [one for one in renderers().values() if gateway in one.protocols]
    if name is None:
        wanted = "asgi" if needs_asgi(sites) else "wsgi"
        suited = [one for one in fitting if one.interface == wanted]
        return min(suited or fitting, key=_preference, default=None)
    found = [one for one in fitting if one.name == name]
    if not found:
        allowed = ", ".join(one.name for one in fitting) or "none: Python runs in it"
        raise ChoiceError(
            f"gateway {gateway!r} of target {target!r} cannot reach {name!r}. "
            f"Application servers that speak it: {allowed}."
        )
    return found[0]


def _preference(renderer: type[Renderer]) -> tuple[int, str]:
    """The one whose own first protocol this is comes first; then by name."""
    return (_PREFERRED.index(renderer.name) if renderer.name in _PREFERRED else 99, renderer.name)


# gunicorn is maintained and pure Python; uWSGI, in maintenance mode, speaks everything. Of the
# ASGI servers, uvicorn pings its websockets, so that no front takes them for idle.
_PREFERRED = ("gunicorn", "uwsgi", "uvicorn")
