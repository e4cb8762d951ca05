"""How many processes a host gets, what they cost in memory and database connections, and whether
there is so much."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from django_deploykit.config import sizing
from django_deploykit.config.container import contained
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import DatabaseServer, SiteFacts
from django_deploykit.config.installed import Host, host
from django_deploykit.config.plan import Plan
from django_deploykit.config.values import Address, Backend
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
    ("chosen", "sites", "processes"),
    [
        ({}, 1, 4),
        ({}, 16, 1),
        ({"processes": 9}, 1, 9),
        ({"processes": 9, "memory": "64Mi"}, 1, 9),
        # Of a named machine nothing is looked up here but what was left out of its size.
        ({"cpu": 64}, 1, 64),
        ({"memory": "512Mi"}, 1, 3),
        ({"cpu": 16, "memory": "1Gi"}, 1, 6),
        ({"cpu": 16, "memory": "1Gi"}, 2, 3),
        ({"cpu": 16, "memory": "1Gi", "process_memory": "300Mi"}, 1, 2),
        ({"cpu": 2, "memory": "16Mi"}, 1, 1),
        ({"cpu": 2, "memory": "999999Gi"}, 1, 2),
    ],
)
def test_processes(chosen: dict[str, Any], sites: int, processes: int) -> None:
    """One for each CPU, as far as three quarters of the memory hold them, and never none; what was
    chosen stays."""
    here, served = Host(cpu=4, memory=2048), [shop()] * sites
    found = sizing.sized(Deployment(**chosen), served, here)
    assert found.processes == processes
    assert {name: getattr(found, name) for name in chosen} == chosen
    assert sizing.sized(found, served, Host(cpu=1, memory=1)) == found


def test_this_machine_has_a_size() -> None:
    """CPUs, and memory in MiB as the kernel says it."""
    kibibytes = int(Path("/proc/meminfo").read_text().partition("MemTotal:")[2].split()[0])
    assert host().cpu >= 1
    assert host().memory == kibibytes // 1024


def sized(*sites: SiteFacts, gateway: str = "http", **chosen: Any) -> Plan:
    """As ``plan``, for a machine with 4 CPUs and 2 GiB of memory."""
    chosen = {"processes": 0, **chosen}
    given = plan(*(sites or (shop(),)), gateway=gateway, **chosen)
    deployment = sizing.sized(given.deployment, given.sites, Host(cpu=4, memory=2048))
    return replace(given, deployment=deployment, app_server="gunicorn")


CHANGED = "--set changes it: processes, threads, cpu, memory, process_memory"
FEWER = "--set changes it: processes, cpu, memory, process_memory"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            sized(),
            [
                "4 CPUs → 4 processes × 5 threads = 20 requests at once",
                "4 processes × about 128 MiB = 512 MiB of 2 GiB",
                CHANGED,
            ],
        ),
        (
            sized(processes=1, threads=1),
            [
                "1 process × 1 thread = 1 request at once",
                "1 process × about 128 MiB = 128 MiB, compared with nothing: memory is not stated",
                CHANGED,
            ],
        ),
        (
            sized(cpu=16, memory="1Gi"),
            [
                "16 CPUs and 1 GiB → 6 processes × 5 threads = 30 requests at once",
                "6 processes × about 128 MiB = 768 MiB of 1 GiB",
                CHANGED,
            ],
        ),
        (
            sized(processes=5, cpu=4, memory="2Gi", process_memory="1Gi"),
            [
                "5 processes × 5 threads = 25 requests at once",
                "5 processes × about 1 GiB = 5 GiB of 2 GiB",
                CHANGED,
            ],
        ),
        (
            sized(shop(), shop(name="blog"), gateway="mod_wsgi"),
            [
                "4 CPUs → 4 processes × 5 threads = 20 requests at once, for each of 2 sites",
                "8 processes × about 128 MiB = 1 GiB of 2 GiB",
                CHANGED,
            ],
        ),
        (
            sized(
                replace(shop(), pools=(pool("/r/", "r", processes=1, threads=1), pool("/s/", "s")))
            ),
            [
                "4 CPUs → 4 processes × 5 threads = 20 requests at once",
                "1 process × 1 thread = 1 request at once (shop-r)",
                "4 processes × 5 threads = 20 requests at once (shop-s)",
                "9 processes × about 128 MiB = 1.12 GiB of 2 GiB",
                CHANGED,
            ],
        ),
        (
            replace(sized(), app_server="flup"),
            [
                "4 CPUs → 4 processes × 1 thread = 4 requests at once",
                "4 processes × about 128 MiB = 512 MiB of 2 GiB",
                FEWER,
            ],
        ),
        (
            replace(sized(), app_server="granian", interface="asgi"),
            [
                "4 CPUs → 4 processes, each with as many requests at once as come",
                "4 processes × about 128 MiB = 512 MiB of 2 GiB",
                FEWER,
            ],
        ),
        (
            contained(sized(processes=9, cpu=2)),
            [
                "2 CPUs → 2 processes × 5 threads = 10 requests at once",
                "2 processes × about 128 MiB = 256 MiB of 512 MiB",
                "--set changes it: threads, cpu, memory, process_memory",
            ],
        ),
        (
            sized(gateway="mod_wsgi-embedded"),
            ["Apache's own processes and threads answer: MaxRequestWorkers of its MPM"],
        ),
        (
            sized(gateway="cgi"),
            ["each request has a process of its own, as many as the front has connections"],
        ),
        (
            sized(backends=(Backend(where=Address("10.0.0.5", 8000)),)),
            ["the application runs elsewhere: see what is written for those hosts"],
        ),
        (replace(sized(gateway="script"), app_server=""), []),
        (replace(sized(gateway="fastcgi"), label="authorizer/fastcgi"), []),
    ],
)
def test_the_size_is_explained(given: Plan, said: list[str]) -> None:
    """Why so many processes, how many requests they answer at once, how much memory they need and
    what there is, and what changes it; nothing where nothing runs."""
    found = [line for line in sizing.explained(given) if line.startswith("sizing: ")]
    assert found == [f"sizing: {line}" for line in said]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (sized(), ""),
        (sized(processes=99), ""),
        (sized(memory="1Gi", processes=6), ""),
        (
            sized(memory="1Gi", processes=7),
            "memory: 7 processes × about 128 MiB = 896 MiB, but of memory='1Gi' no more than 768",
        ),
        (
            sized(memory="100Mi"),
            "memory: 1 process × about 128 MiB = 128 MiB, but of memory='100Mi' no more than 75",
        ),
        (
            contained(sized(cpu=4)),
            "memory: 4 processes × about 128 MiB = 512 MiB, but of memory='512Mi' no more than 384",
        ),
        (sized(memory="100Mi", gateway="mod_wsgi-embedded"), ""),
        (sized(memory="100Mi", backends=(Backend(where=Address("10.0.0.5", 8000)),)), ""),
    ],
)
def test_processes_that_memory_does_not_hold_are_a_warning(given: Plan, said: str) -> None:
    """The number that is needed, the number that is there, and what to change."""
    found = list(sizing.warnings(given))
    assert len(found) == bool(said)
    assert all(text.startswith(said) and text.endswith("(process_memory).") for text in found)


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
        (replace(plan(shop(MAIN), gateway="fastcgi"), label="authorizer/fastcgi"), []),
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
    *_, without = sizing.explained(plan(shop(MAIN)))
    *_, limited = sizing.explained(plan(shop(MAIN), database_max_connections=40))
    assert "2 processes × 5 threads = 10 at most; no limit is stated" in without
    assert "the limit is 40" in limited
