"""From a target's name to a stack: front server × gateway × application server."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from django_deploykit import config, contract
from django_deploykit.config import authorizers, installed, sizing
from django_deploykit.config.container import contained
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Needs, Rendered, Renderer
from django_deploykit.exceptions import ChoiceError, unknown

# Where renderers live; a file there is a target, and there is no other list.
_PACKAGES = ("servers", "appservers", "services", "platforms", "scripts")


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
            stands_alone=self._subject.stands_alone,
            app_server=self.behind_front,
            interface=(self.app_server or self.renderer).interface,
            front_sends_files=self.renderer.sends_files,
        )
        return self.placed(plan)

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

    def check(self, deployment: Deployment, sites: Sequence[SiteFacts] = ()) -> None:
        """Raise ChoiceError for a choice that the front does not have, and for areas that it
        would leave open."""
        self._check_areas(sites)
        self._check_backends(deployment)
        self._check_pools(deployment, sites)
        known = self.renderer.path_hosts
        if not deployment.vhost_path or known is None or self.gateway in known:
            return
        raise ChoiceError(
            f"vhost_path: target {self.renderer.name!r} with gateway {self.gateway!r} cannot write "
            f"the host into the path. These can: {_able(lambda one: one.path_hosts or ())}."
        )

    def _check_areas(self, sites: Sequence[SiteFacts]) -> None:
        """Whoever answers clients guards the areas of the sites, or serves none of them."""
        areas = [area for site in sites for area in site.areas]
        answers = self.renderer.path_hosts is not None or self._subject.stands_alone
        if not areas or not answers or self.gateway in self.renderer.guards:
            return
        able = [one.name for one in renderers().values() if one.guards]
        raise ChoiceError(
            f"{areas[0].setting}: target {self.renderer.name!r} with gateway {self.gateway!r} "
            f"cannot guard an area, and would serve it to anybody. These can: {', '.join(able)}."
        )

    def _check_backends(self, deployment: Deployment) -> None:
        """A front spreads requests over several application servers, or says that it cannot."""
        if self.renderer.path_hosts is None:
            return
        if deployment.backends and self.gateway not in self.renderer.balancing:
            raise ChoiceError(
                f"backends: target {self.renderer.name!r} with gateway {self.gateway!r} has no "
                f"application server to choose. These have: {_able(lambda one: one.balancing)}."
            )
        if deployment.health and not self.renderer.asks_health:
            able = [one.name for one in renderers().values() if one.asks_health]
            raise ChoiceError(
                f"health: target {self.renderer.name!r} cannot ask an application server for a "
                "page with a Host, and the words of its front, that Django believes. Leave it out: "
                f"requests that fail say as much. These can: {', '.join(able)}."
            )
        if deployment.sticky and len(deployment.backends) < 2:
            raise ChoiceError("sticky: there is one application server. Name more in 'backends'.")

    def _check_pools(self, deployment: Deployment, sites: Sequence[SiteFacts]) -> None:
        """Whatever says how requests are answered has processes for each pool, or says that it
        has not."""
        pools, asked = [pool for site in sites for pool in site.pools], self.renderer
        answers = asked.path_hosts is not None or asked.protocols or asked.runs_app_server
        if not pools or not answers:
            return
        if self.gateway not in asked.pooling:
            raise ChoiceError(
                f"{pools[0].setting}: target {asked.name!r} with gateway {self.gateway!r} cannot "
                "give a URL processes of its own. These can, and --output writes what each of them "
                f"needs: {_able(lambda one: one.pooling)}."
            )
        _check_names(sites)
        if deployment.backends:
            raise ChoiceError(
                f"backends: {pools[0].setting} has an application server of its own, and so have "
                "all other URLs: which one would be whose? Leave one of the two settings out."
            )

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


def renderers() -> dict[str, type[Renderer]]:
    """Every renderer by target name, found by walking the packages."""
    found = {renderer.name: renderer for renderer in _walk()}
    return dict(sorted(found.items()))


def _check_names(sites: Sequence[SiteFacts]) -> None:
    """Raise ChoiceError for a pool whose processes would be called as another's."""
    taken = {site.name for site in sites}
    for site in sites:
        for pool in site.pools:
            name = contract.pool_name(site.name, pool.name)
            if name in taken:
                raise ChoiceError(
                    f"{pool.setting}: 'name' is {pool.name!r}, and the processes of another site "
                    f"or pool are called {name!r} already. Choose another one."
                )
            taken.add(name)


def _able(gateways: Callable[[type[Renderer]], Sequence[str]]) -> str:
    """Every target with each of its gateways that can do something."""
    known = renderers().values()
    return ", ".join(f"{one.name} with {name!r}" for one in known for name in gateways(one))


def _walk() -> Iterator[type[Renderer]]:
    for package in _PACKAGES:
        home = importlib.import_module(f"{config.__name__}.{package}")
        for info in pkgutil.iter_modules(home.__path__):
            module = importlib.import_module(f"{home.__name__}.{info.name}")
            yield from (
                value
                for value in vars(module).values()
                if isinstance(value, type)
                and issubclass(value, Renderer)
                and value.__module__ == module.__name__
            )


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
        raise ChoiceError(unknown("target", target, "deployconfig", known))
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
