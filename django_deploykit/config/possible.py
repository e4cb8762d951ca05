"""What a stack cannot do with a choice or a setting: refused here, with who can."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from django_deploykit import contract
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.registry import renderers
from django_deploykit.config.renderer import Renderer
from django_deploykit.exceptions import ChoiceError


def check(
    target: type[Renderer],
    gateway: str,
    sites: Sequence[SiteFacts],
    deployment: Deployment,
    *,
    alone: bool,
) -> None:
    """Raise ChoiceError for a choice that the target does not have, and for areas that it would
    leave open. ``alone`` tells whether clients ask an application server itself."""
    answers = target.path_hosts is not None
    if answers or alone:
        _check_areas(target, gateway, sites)
    if answers:
        _check_backends(target, gateway, deployment)
        _check_path_hosts(target, gateway, deployment)
        _check_addresses(sites, deployment)
    if answers or target.protocols or target.runs_app_server:
        _check_pools(target, gateway, sites, deployment)


def _check_areas(target: type[Renderer], gateway: str, sites: Sequence[SiteFacts]) -> None:
    """Whoever answers clients guards the areas of the sites, or serves none of them."""
    areas = [area for site in sites for area in site.areas]
    if not areas or gateway in target.guards:
        return
    able = [one.name for one in renderers().values() if one.guards]
    raise ChoiceError(
        f"{areas[0].setting}: target {target.name!r} with gateway {gateway!r} "
        f"cannot guard an area, and would serve it to anybody. These can: {', '.join(able)}."
    )


def _check_backends(target: type[Renderer], gateway: str, deployment: Deployment) -> None:
    """A front spreads requests over several application servers, or says that it cannot."""
    if deployment.backends and gateway not in target.balancing:
        raise ChoiceError(
            f"backends: target {target.name!r} with gateway {gateway!r} has no "
            f"application server to choose. These have: {_able(lambda one: one.balancing)}."
        )
    if deployment.health and not target.asks_health:
        able = [one.name for one in renderers().values() if one.asks_health]
        raise ChoiceError(
            f"health: target {target.name!r} cannot ask an application server for a "
            "page with a Host, and the words of its front, that Django believes. Leave it out: "
            f"requests that fail say as much. These can: {', '.join(able)}."
        )
    if deployment.sticky and len(deployment.backends) < 2:
        raise ChoiceError("sticky: there is one application server. Name more in 'backends'.")


def _check_addresses(sites: Sequence[SiteFacts], deployment: Deployment) -> None:
    """An address speaks plain HTTP or TLS, not both."""
    if not any(site.tls for site in sites):
        return
    for one, other in product(deployment.listen, deployment.tls_listen):
        if one.port == other.port and (one.host == other.host or not (one.host and other.host)):
            raise ChoiceError(
                f"listen and tls_listen: '{one}' and '{other}' are the same address, which speaks "
                "HTTP or HTTPS. Give each a port of its own, such as 80 and 443."
            )


def _check_path_hosts(target: type[Renderer], gateway: str, deployment: Deployment) -> None:
    """A front writes the host into the path, or says that it cannot."""
    if deployment.vhost_path and gateway not in (target.path_hosts or ()):
        raise ChoiceError(
            f"vhost_path: target {target.name!r} with gateway {gateway!r} cannot write "
            f"the host into the path. These can: {_able(lambda one: one.path_hosts or ())}."
        )


def _check_pools(
    target: type[Renderer], gateway: str, sites: Sequence[SiteFacts], deployment: Deployment
) -> None:
    """Whatever says how requests are answered has processes for each pool, or says that it
    has not."""
    pools = [pool for site in sites for pool in site.pools]
    if not pools:
        return
    if gateway not in target.pooling:
        raise ChoiceError(
            f"{pools[0].setting}: target {target.name!r} with gateway {gateway!r} cannot "
            "give a URL processes of its own. These can, and --output writes what each of them "
            f"needs: {_able(lambda one: one.pooling)}."
        )
    _check_names(sites)
    if deployment.backends:
        raise ChoiceError(
            f"backends: {pools[0].setting} has an application server of its own, and so have "
            "all other URLs: which one would be whose? Leave one of the two settings out."
        )


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
