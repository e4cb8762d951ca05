"""Choices: the keys of ``--set`` and of DEPLOYKIT['DEPLOYMENT'], and what they take."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from django_deploykit.config.deployment import Deployment, choice_names, parse_choices
from django_deploykit.config.values import Address, Backend
from django_deploykit.exceptions import ChoiceError


def parse(**raw: Any) -> Any:
    """The only value of one choice."""
    (value,) = parse_choices(raw, "--set").values()
    return value


@pytest.mark.parametrize("choice", fields(Deployment), ids=choice_names())
def test_every_choice_is_documented(choice: Any) -> None:
    """Each choice has a parser and a sentence for the reference."""
    assert callable(choice.metadata["parse"])
    assert choice.metadata["doc"].endswith(".")


@pytest.mark.parametrize(
    ("key", "raw", "value"),
    [
        ("listen", "8080", (Address("", 8080),)),
        ("listen", 8080, (Address("", 8080),)),
        ("listen", "*:80", (Address("", 80),)),
        ("listen", ":80", (Address("", 80),)),
        ("listen", "127.0.0.1:80, [::1]:80", (Address("127.0.0.1", 80), Address("::1", 80))),
        ("listen", ["127.0.0.1:80", 81], (Address("127.0.0.1", 80), Address("", 81))),
        (
            "backends",
            "10.0.0.5:8000 weight=2, [::1]:80 drain,/run/a.sock backup weight=3,10.0.0.6:8000 down",
            (
                Backend(where=Address("10.0.0.5", 8000), weight=2),
                Backend(where=Address("::1", 80), role="drain"),
                Backend(where=Path("/run/a.sock"), weight=3, role="backup"),
                Backend(where=Address("10.0.0.6", 8000), role="down"),
            ),
        ),
        ("backends", ["/run/a.sock"], (Backend(where=Path("/run/a.sock")),)),
        ("sticky", True, True),
        ("sticky", "no", False),
        ("health", "/health/", "/health/"),
        ("user", "www-data", "www-data"),
        ("resolver", "127.0.0.53:53", Address("127.0.0.53", 53)),
        ("processes", 4, 4),
        ("processes", "9999", 9999),
        ("body_limit", "100", 100),
        ("body_limit", "2M", 2 * 1024**2),
        ("body_limit", "1G", 1024**3),
        ("locale", "en_US.UTF-8", "en_US.UTF-8"),
        ("locale", "C.utf8", "C.utf8"),
        ("application_group", "%{GLOBAL}", "%{GLOBAL}"),
        ("isolation", "interpreters", "interpreters"),
        ("python_home", "/srv/v e n v", Path("/srv/v e n v")),
        ("python_home", Path("/srv/é"), Path("/srv/é")),
        ("server_version", "2.4.71", (2, 4, 71)),
        ("image", "shop:1", "shop:1"),
        ("image", "registry.example.com:5000/a/b-c:1.2", "registry.example.com:5000/a/b-c:1.2"),
        ("base_image", f"python@sha256:{'0f' * 32}", f"python@sha256:{'0f' * 32}"),
        ("requirements", "requirements/live.txt", "requirements/live.txt"),
        ("memory", "2Gi", "2Gi"),
        ("process_memory", "90Mi", "90Mi"),
        ("cpu", "64", 64),
        ("parent_ref", "infra/public", "infra/public"),
        ("ingress_class", "nginx.internal", "nginx.internal"),
        ("database_max_connections", "100", 100),
        ("socket", "[2001:DB8:0:0::5]:80", Address("2001:db8::5", 80)),
        ("resolver", "[::FFFF:7F00:35]:53", Address("::ffff:127.0.0.53", 53)),
    ],
)
def test_allowed(key: str, raw: Any, value: Any) -> None:
    """Text, as on the command line, or the value itself, as in settings."""
    assert parse(**{key: raw}) == value


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("image", "shop"),
        ("image", "shop:latest"),
        ("image", "Shop:1"),
        ("image", "shop:1 AS build"),
        ("image", "shop:1\nUSER root"),
        ("image", "registry:5000/shop"),
        ("base_image", "python:latest@sha256:00"),
        ("base_image", f"python:latest@sha256:{'0f' * 32}"),
        ("requirements", "../requirements.txt"),
        ("requirements", "/etc/requirements.txt"),
        ("requirements", "-r.txt"),
        ("memory", "512M"),
        ("memory", "0Gi"),
        ("memory", "-1Gi"),
        ("process_memory", "128"),
        ("process_memory", "1.5Gi"),
        ("cpu", 0),
        ("cpu", "2.5"),
        ("parent_ref", "a/b/c"),
        ("parent_ref", "Public"),
        ("ingress_class", "nginx\n"),
        ("database_max_connections", 0),
        ("resolver", "53"),
        ("resolver", "dns.example.com:53"),
        *(("backends", raw) for raw in ("", "localhost:80", "8000", "10.0.0.5:1,10.0.0.5:1")),
        *(("backends", f"10.0.0.5:1 {raw}") for raw in ("weight=0", "weight=101", "up", "weight")),
        *(
            ("backends", f"10.0.0.5:1 {raw}")
            for raw in ("backup", "drain down", "weight=1 weight=2")
        ),
        *(("sticky", raw) for raw in ("", "maybe", 1)),
        *(("health", raw) for raw in ("", "health/", "//evil", "/a b", "/%20", "/a?b")),
        ("balance", "random"),
        ("listen", ""),
        ("listen", "0"),
        ("listen", "65536"),
        ("listen", "localhost:80"),
        ("listen", "300.0.0.1:80"),
        ("listen", "[::g]:80"),
        ("listen", "[1:2:3]:80"),
        ("listen", "::1:80"),
        ("listen", "80,80"),
        ("listen", "[::1]:80,[0:0::1]:80"),
        ("listen", "٨٠"),
        ("user", "a b"),
        ("user", "-x"),
        ("user", "a\n"),
        ("processes", 0),
        ("processes", -1),
        ("processes", True),
        ("processes", "1.5"),
        ("body_limit", "2G"),
        ("body_limit", "1T"),
        ("body_limit", "0"),
        ("locale", "C"),
        ("locale", "de_DE.ISO-8859-1"),
        ("locale", "C.UTF-8; id"),
        ("application_group", "%{ENV:x}"),
        ("isolation", "threads"),
        ("python_home", "venv"),
        ("python_home", "/srv/a\nb"),
        ("server_version", "latest"),
        ("server_version", "2.4\n"),
    ],
)
def test_refused(key: str, raw: Any) -> None:
    """Anything else is refused with the key, the value and what is allowed."""
    with pytest.raises(ChoiceError) as raised:
        parse(**{key: raw})
    assert str(raised.value).startswith(f"--set: {key}={raw!r} is not allowed. Write ")


@pytest.mark.parametrize("name", ["app1:8000", "shop_web:80 weight=2", "db.example.com:443 down"])
def test_a_backend_by_its_name_is_refused_with_the_reason(name: str) -> None:
    """One name that does not resolve would take down more than its application server."""
    with pytest.raises(ChoiceError, match=r"the IP address of .* does not resolve"):
        parse(backends=f"10.0.0.5:8000, {name}")


def test_all_mistakes_at_once() -> None:
    """One error names every choice that is wrong."""
    with pytest.raises(ChoiceError) as raised:
        parse_choices({"threads": 0, "thread": 1, "user": "ok", "locale": "C"}, "--set")
    assert [problem.partition(".")[0] for problem in raised.value.problems] == [
        "--set: threads=0 is not allowed",
        "--set: unknown key 'thread'",
        "--set: locale='C' is not allowed",
    ]
    assert str(raised.value) == "\n".join(raised.value.problems)


def test_guess_ignores_case() -> None:
    """A key in capitals, as Django's settings have, is understood to be meant."""
    with pytest.raises(ChoiceError, match=r"Did you mean 'processes'\?"):
        parse_choices({"PROCESSES": 2}, "DEPLOYKIT['DEPLOYMENT']")


def test_none_leaves_the_default() -> None:
    """A choice set to None is not made."""
    assert parse_choices({"user": None, "python_home": None}, "DEPLOYMENT") == {}


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (Address("", 80), "*:80"),
        (Address("::1", 80), "[::1]:80"),
        (Address("1.2.3.4", 8), "1.2.3.4:8"),
    ],
)
def test_address_as_text(address: Address, text: str) -> None:
    """An address is written so that it can be read again."""
    assert str(address) == text
    assert parse(listen=text) == (address,)
