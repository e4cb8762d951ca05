"""The reader of DEPLOYKIT: whatever stands there, reading it never raises."""

from __future__ import annotations

from typing import Any

import pytest

from django_deploykit import conf
from django_deploykit.conf import Unusable


def test_absent_means_empty(settings: Any) -> None:
    """No command needs the setting."""
    del settings.DEPLOYKIT
    assert conf.read() == conf.Conf()


def test_sections_are_handed_out(settings: Any) -> None:
    """Each section is a mapping of its own."""
    site = {"HOSTS": ["a.example"]}
    settings.DEPLOYKIT = {
        "SITE": site,
        "DEPLOYMENT": {"threads": 3},
        "SITES": {"a": {"settings": "a.settings"}},
    }
    read = conf.read()
    assert (read.site, read.deployment, read.unusable) == (site, {"threads": 3}, ())
    assert read.sites == {"a": {"settings": "a.settings"}}


@pytest.mark.parametrize("section", [*conf.SECTIONS, None])
@pytest.mark.parametrize("value", [None, 5, "text", ["a"], {"a"}])
def test_wrong_type_is_unusable(section: str | None, value: Any, settings: Any) -> None:
    """Anything but a dict is named with its place, and taken for empty."""
    settings.DEPLOYKIT = value if section is None else {section: value}
    place = f"DEPLOYKIT[{section!r}]" if section else "DEPLOYKIT"
    read = conf.read()
    assert read.unusable == (Unusable(place, value, "a dict"),)
    assert (read.site, read.deployment, read.sites) == ({}, {}, {})


@pytest.mark.parametrize(
    ("deploykit", "place", "allowed"),
    [
        ({"PROXIES": {}}, "DEPLOYKIT", conf.SECTIONS),
        ({"PROXY": {"TRUST": []}}, "DEPLOYKIT['PROXY']", conf.PROXY_KEYS),
        ({5: {}}, "DEPLOYKIT", conf.SECTIONS),
        ({"SITE": {"hosts": []}}, "DEPLOYKIT['SITE']", conf.SITE_KEYS),
        ({"SITES": {"a": {"HOSTS": []}}}, "DEPLOYKIT['SITES']['a']", conf.SITES_KEYS),
    ],
)
def test_unknown_key_is_unusable(
    deploykit: Any, place: str, allowed: tuple[str, ...], settings: Any
) -> None:
    """A key that nobody reads is named with those that somebody does."""
    settings.DEPLOYKIT = deploykit
    (unusable,) = conf.read().unusable
    assert (unusable.place, unusable.allowed) == (place, allowed)


def test_known_keys_beside_an_unknown_one_are_read(settings: Any) -> None:
    """One mistake does not hide the rest."""
    settings.DEPLOYKIT = {"SITE": {"NAME": "shop", "NMAE": "shop"}}
    assert conf.read().site == {"NAME": "shop"}
