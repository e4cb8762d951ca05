"""Where a front asks the authorizers of its sites, each of which is a program of its own."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from django_deploykit import contract
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.values import Address
from django_deploykit.exceptions import ChoiceError


def addresses(
    sites: Sequence[SiteFacts], chosen: Path | Address | None, *, over_sockets: bool
) -> dict[str, Path | Address]:
    """Where each site with areas is asked about, by its name.

    Raise ChoiceError for a choice that several sites would share, or that the front cannot reach.
    """
    guarded = [site for site in sites if site.areas]
    if chosen and len(guarded) > 1:
        raise ChoiceError(
            "authorizer: several sites cannot share one. Leave it out: each has its own."
        )
    if chosen:
        _check(chosen, over_sockets=over_sockets)
    return {
        site.name: chosen or _usual(site, number, over_sockets=over_sockets)
        for number, site in enumerate(guarded)
    }


def without_files(site: SiteFacts) -> SiteFacts:
    """The site as its authorizer needs it: the code, the database, and what any process writes."""
    return replace(
        site,
        static=None,
        media=None,
        documents=None,
        admin_static=None,
        protected=(),
        areas=(),
        writes=tuple((setting, path) for setting, path in site.writes if setting == "LOGGING"),
        special_modes=(),
        root_files=(),
    )


def _usual(site: SiteFacts, number: int, *, over_sockets: bool) -> Path | Address:
    if over_sockets:
        return Path(contract.authorizer_path(site.name))
    return Address(contract.AUTHORIZER_HOST, contract.AUTHORIZER_PORT + number)


def _check(chosen: Path | Address, *, over_sockets: bool) -> None:
    if isinstance(chosen, Path):
        if not over_sockets:
            raise ChoiceError(
                f"authorizer: {str(chosen)!r} is a path, and Apache asks over TCP alone. "
                f"Write an address: '{contract.AUTHORIZER_HOST}:{contract.AUTHORIZER_PORT}'."
            )
    elif not ipaddress.ip_address(chosen.host).is_loopback:
        raise ChoiceError(
            f"authorizer: '{chosen}' is not a loopback address, and passwords would cross the "
            f"network. Write '{contract.AUTHORIZER_HOST}:{chosen.port}'."
        )
