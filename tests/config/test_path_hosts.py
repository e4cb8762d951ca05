"""Path-encoded virtual hosts: which hosts can stand in a path, and which fronts can write them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import Hosts, SiteFacts
from django_deploykit.config.registry import renderers
from django_deploykit.config.stack import Stack
from django_deploykit.config.values import Address
from django_deploykit.exceptions import ChoiceError
from django_deploykit.proxy import vhost
from tests.cases import DEPLOYMENT, MEDIA, PROTECTED, Case, site

FRONTS = [one for one in renderers().values() if one.path_hosts is not None]
ABLE = [(one, gateway) for one in FRONTS for gateway in one.path_hosts or ()]
UNABLE = [
    (one, name) for one in FRONTS for name in one.gateways if name not in (one.path_hosts or ())
]


def _label(value: object) -> str:
    return str(getattr(value, "name", value))


def _text(target: Any, gateway: str, *sites: SiteFacts, **choices: Any) -> str:
    deployment = replace(DEPLOYMENT, **{"vhost_path": "marker", **choices})
    case = Case(sites=sites, deployment=deployment, gateway=gateway)
    return str(target(case.plan(target)).render().text)


@pytest.mark.parametrize(("target", "gateway"), ABLE, ids=_label)
def test_each_name_has_a_path_of_its_own(target: Any, gateway: str) -> None:
    """Every host of the settings is written; without the choice, none is."""
    for host in ("example.com", "www.example.com"):
        assert f"/marker/http/{host}:80/" in _text(target, gateway, site())
    assert "/http/example.com" not in _text(target, gateway, site(), vhost_path=None)


@pytest.mark.parametrize(("target", "gateway"), ABLE, ids=_label)
def test_zopes_marker_means_zopes_form(target: Any, gateway: str) -> None:
    """What is written is what PROXY["VHOST"] reads under that name."""
    written = "/VirtualHostBase/http/example.com:80/VirtualHostRoot"
    assert f"{written}/" in _text(target, gateway, site(), vhost_path="VirtualHostBase")
    found = vhost.read(f"{written}/page", "", "VirtualHostBase")
    assert (found.scheme, found.host, found.port, found.path) == (
        "http",
        "example.com",
        80,
        "/page",
    )


@pytest.mark.parametrize(("target", "gateway"), ABLE, ids=_label)
@pytest.mark.parametrize(
    ("facts", "choices", "message"),
    [
        (site(hosts=Hosts(names=("*",))), {}, r"'\*' of ALLOWED_HOSTS cannot be written"),
        (site(hosts=Hosts(names=(".example.com",))), {}, "'.example.com' of ALLOWED_HOSTS"),
        (site(hosts=Hosts(names=("[::1]",))), {}, r"'\[::1\]' of ALLOWED_HOSTS"),
        (
            site(),
            {"listen": (Address("127.0.0.1", 80), Address("::1", 8080))},
            "listen has the ports 80 and 8080",
        ),
        (site(), {"vhost_path": "static"}, "has the URL '/static/', which would be denied"),
        (site(prefix="/Shop"), {"vhost_path": "shop"}, "has the URL '/Shop'"),
        (site(media=MEDIA), {"vhost_path": "media"}, "'/media/'"),
        (site(protected=(PROTECTED,)), {"vhost_path": "protected"}, "'/protected/'"),
        (site(routes=("/accounts/",)), {"vhost_path": "accounts"}, "'/accounts/'"),
    ],
)
def test_what_cannot_stand_in_a_path_is_refused(
    target: Any, gateway: str, facts: SiteFacts, choices: dict[str, Any], message: str
) -> None:
    """A name for many, a second port, and a marker that is a URL of the site are refused."""
    with pytest.raises(ChoiceError, match=message):
        _text(target, gateway, facts, **choices)


@pytest.mark.parametrize(("target", "gateway"), UNABLE, ids=_label)
def test_a_front_that_cannot_says_which_can(target: Any, gateway: str) -> None:
    """The message names every front and gateway that writes hosts into paths."""
    with pytest.raises(ChoiceError, match="cannot write the host into the path") as refusal:
        Stack(target, gateway).plan([site()], replace(DEPLOYMENT, vhost_path="marker"))
    for able, name in ABLE:
        assert f"{able.name} with {name!r}" in str(refusal.value)


def test_a_target_that_is_no_front_ignores_the_choice() -> None:
    """A script has no say in the path."""
    stack = Stack(renderers()["wsgi"], "script")
    plan = stack.plan([site()], Deployment(vhost_path="marker"))
    assert plan.path_host == ""


@pytest.mark.parametrize(("target", "gateway"), ABLE, ids=_label)
def test_the_application_has_to_understand(target: Any, gateway: str) -> None:
    """What the choice asks of the application is said."""
    case = Case(sites=(site(),), deployment=Deployment(vhost_path="marker"), gateway=gateway)
    warnings = target(case.plan(target)).render().warnings
    assert [text for text in warnings if "VHostMonsterResource" in text]
