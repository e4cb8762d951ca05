"""How many database connections a stack opens, and whether there are so many."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from django_deploykit.config import sizing
from django_deploykit.config.container import contained
from django_deploykit.config.deployment import Backend
from django_deploykit.config.facts import DatabaseServer, SiteFacts
from django_deploykit.config.renderer import Plan
from tests.cases import DEPLOYMENT, REPORTS, pool, site

MAIN = DatabaseServer(alias="default", server="db:5432")
REPLICA = DatabaseServer(alias="replica", server="db2:5432")
POOLED = replace(MAIN, pool=3)
ROOMY = replace(MAIN, pool=50)


def shop(*servers: DatabaseServer, name: str = "shop") -> SiteFacts:
    return site(name, database_servers=servers)


def plan(*sites: SiteFacts, gateway: str = "http", interface: str = "wsgi", **chosen: Any) -> Plan:
    deployment = replace(DEPLOYMENT, **{"processes": 2, "threads": 5, **chosen})
    return Plan(
        sites=sites,
        deployment=deployment,
        label=f"apache/{gateway}",
        gateway=gateway,
        interface=interface,
    )


@pytest.mark.parametrize(
    ("given", "counted"),
    [
        (plan(shop(MAIN)), ["shop.default: 2 processes × 5 threads = 10"]),
        (plan(shop(MAIN), threads=1), ["shop.default: 2 processes × 1 thread = 2"]),
        (plan(shop(MAIN), processes=1), ["shop.default: 1 process × 5 threads = 5"]),
        (
            replace(plan(shop(MAIN)), app_server="flup"),
            ["shop.default: 2 processes × 1 thread = 2"],
        ),
        (
            plan(shop(MAIN), backends=(Backend(where=Path("/a")), Backend(where=Path("/b")))),
            ["shop.default: 2 application servers × 2 processes × 5 threads = 20"],
        ),
        (
            plan(replace(shop(POOLED), pools=(pool("/reports/", "reports", **REPORTS),))),
            ["shop.default: 2 processes × 3 in its pool + 1 process × 1 thread (shop-reports) = 7"],
        ),
        (
            plan(
                replace(shop(MAIN, REPLICA), pools=(pool("/r/", "r"), pool("/s/", "s", threads=1))),
                shop(MAIN, name="blog"),
            ),
            [
                "shop.replica: 2 processes × 5 threads + 2 processes × 5 threads (shop-r)"
                " + 2 processes × 1 thread (shop-s) = 22",
                "shop.default, blog.default: 2 processes × (5 threads + 5 threads)"
                " + 2 processes × 5 threads (shop-r) + 2 processes × 1 thread (shop-s) = 32",
            ],
        ),
        (plan(shop(MAIN), gateway="script"), []),
        (plan(shop(POOLED)), ["shop.default: 2 processes × 3 in its pool = 6"]),
        (plan(shop(ROOMY)), ["shop.default: 2 processes × 5 threads = 10"]),
        (plan(shop()), []),
        (
            plan(shop(MAIN, replace(POOLED, alias="logs"))),
            ["shop.default, shop.logs: 2 processes × (5 threads + 3 in its pool) = 16"],
        ),
        (
            plan(shop(MAIN, REPLICA)),
            [
                "shop.replica: 2 processes × 5 threads = 10",
                "shop.default: 2 processes × 5 threads = 10",
            ],
        ),
        (
            plan(shop(MAIN), shop(MAIN, name="blog")),
            ["shop.default, blog.default: 2 processes × (5 threads + 5 threads) = 20"],
        ),
        (plan(shop(MAIN), interface="asgi"), []),
        (plan(shop(MAIN), gateway="cgi"), []),
        (plan(shop(MAIN), gateway="mod_wsgi-embedded"), []),
        (
            contained(plan(shop(MAIN), cpu=2, replicas=2, max_replicas=4)),
            ["shop.default: 5 pods × 2 processes × 5 threads = 50"],
        ),
    ],
)
def test_connections(given: Plan, counted: list[str]) -> None:
    """Processes × threads for each database, of all sites and pods; those of a pool are fewer, and
    where requests are not bounded by these choices, nothing is claimed."""
    assert [str(found) for found in sizing.connections(given)] == counted


@pytest.mark.parametrize(("limit", "said"), [(None, 0), (9, 1), (10, 0), (100, 0)])
def test_a_stated_limit_is_compared(limit: int | None, said: int) -> None:
    """More than the stated number is a warning that names both; without one there is none."""
    found = list(sizing.warnings(plan(shop(MAIN), database_max_connections=limit)))
    assert len(found) == said
    assert all("= 10, but database_max_connections=9." in text for text in found)


def test_explained() -> None:
    """--explain shows how the number comes about, with or without a limit."""
    (without,) = sizing.explained(plan(shop(MAIN)))
    (limited,) = sizing.explained(plan(shop(MAIN), database_max_connections=40))
    assert "2 processes × 5 threads = 10 at most; no limit is stated" in without
    assert "the limit is 40" in limited
