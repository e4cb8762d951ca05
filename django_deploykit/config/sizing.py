"""How many connections the sites open to their database servers, at most.

A thread has one connection to each database while it answers a request. CONN_MAX_AGE only says
how long it keeps it afterwards: the peak is the same. A pool (OPTIONS["pool"]) is a process's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django_deploykit.config.facts import DatabaseServer, SiteFacts
from django_deploykit.config.renderer import Plan

# Where something else than ``processes`` and ``threads`` says how many requests run at once:
# the modules of Apache itself, a new process for each request, or whoever loads a mere file.
_UNCOUNTED = ("mod_wsgi-embedded", "cgi", "file", "script", "shell")

# An application server each of whose processes answers one request at a time.
_ONE_AT_A_TIME = ("flup",)


@dataclass(frozen=True)
class Connections:
    """The connections to one database server, and how the number comes about."""

    databases: tuple[str, ...]
    number: int
    reckoning: str

    def __str__(self) -> str:
        return f"{', '.join(self.databases)}: {self.reckoning} = {self.number}"


def connections(plan: Plan) -> list[Connections]:
    """The peak for each database server; none where it has no bound that is known here.

    An ASGI application opens as many as it has requests at a time.
    """
    if plan.interface != "wsgi" or plan.gateway in _UNCOUNTED:
        return []
    by_server: dict[str, list[tuple[SiteFacts, DatabaseServer]]] = defaultdict(list)
    for site in plan.sites:
        for database in site.database_servers:
            by_server[database.server].append((site, database))
    return [_counted(plan, found) for _, found in sorted(by_server.items())]


def warnings(plan: Plan) -> Iterator[str]:
    """What exceeds the stated limit, if one is stated."""
    limit = plan.deployment.database_max_connections
    for found in connections(plan):
        if limit is not None and found.number > limit:
            yield (
                f"database connections: {found}, but database_max_connections={limit}. Lower "
                "processes, threads or replicas, or give DATABASES a pool (OPTIONS['pool'])."
            )


def explained(plan: Plan) -> Iterator[str]:
    """The same as lines for ``--explain``."""
    limit = plan.deployment.database_max_connections
    stated = "no limit is stated" if limit is None else f"the limit is {limit}"
    for found in connections(plan):
        yield f"database connections: {found} at most; {stated} (database_max_connections)"


def copies(plan: Plan) -> int:
    """How many of these application servers run at once: in a cluster, one more while a new
    version comes."""
    if plan.in_container:
        return plan.deployment.max_replicas + 1
    return len(plan.deployment.backends) or 1


def _counted(plan: Plan, found: Sequence[tuple[SiteFacts, DatabaseServer]]) -> Connections:
    number, each, words = copies(plan), 0, []
    for part, own in [(plan, found), *_of_pools(plan, found)]:
        peak, reckoning = _peak(part, [database for _, database in own])
        each += peak
        words.append(f"{reckoning} ({part.name(own[0][0])})" if part.pool else reckoning)
    what = "pods" if plan.in_container else "application servers"
    times = f"{number} {what} × " if number > 1 else ""
    names = tuple(f"{site.name}.{database.alias}" for site, database in found)
    return Connections(names, number * each, f"{times}{' + '.join(words)}")


def _of_pools(
    plan: Plan, found: Sequence[tuple[SiteFacts, DatabaseServer]]
) -> Iterator[tuple[Plan, list[tuple[SiteFacts, DatabaseServer]]]]:
    """The plan of each pool, with the databases of its site. No stack has several of each pool."""
    for site in dict.fromkeys(site for site, _ in found):
        own = [pair for pair in found if pair[0] == site]
        yield from ((plan.of_pool(pool), own) for pool in site.pools)


def _peak(plan: Plan, databases: Sequence[DatabaseServer]) -> tuple[int, str]:
    """The connections of one set of processes, and how the number comes about."""
    processes, threads = plan.deployment.processes, _threads(plan)
    each, words = 0, []
    for database in databases:
        share = min(threads, database.pool or threads)
        words.append(f"{share} in its pool" if share < threads else _many(share, "thread"))
        each += share
    inner = words[0] if len(words) == 1 else f"({' + '.join(words)})"
    return processes * each, f"{_many(processes, 'process', 'processes')} × {inner}"


def _threads(plan: Plan) -> int:
    return 1 if plan.app_server in _ONE_AT_A_TIME else plan.deployment.threads


def _many(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or f'{one}s'}"
