"""How many processes a host holds, and what these cost: memory, and connections to databases.

A thread has one connection to each database while it answers a request. CONN_MAX_AGE only says
how long it keeps it afterwards: the peak is the same. A pool (OPTIONS["pool"]) is a process's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import DatabaseServer, SiteFacts
from django_deploykit.config.installed import Host
from django_deploykit.config.plan import Plan

# Quarters of the memory that are for application processes; the rest is for everything else: the
# system and its cache of files, the front, other sites.
_QUARTERS = 3

# Where something else than ``processes`` and ``threads`` says how many requests run at once:
# the modules of Apache itself, a new process for each request, or whoever loads a mere file.
_UNCOUNTED = ("mod_wsgi-embedded", "cgi", "file", "script", "shell")

# Those of them whose front has the number.
_OF_THE_FRONT = {
    "mod_wsgi-embedded": "Apache's own processes and threads answer: MaxRequestWorkers of its MPM",
    "cgi": "each request has a process of its own, as many as the front has connections",
}

# A program that has a process of its own, and no application server behind it.
_OF_ITS_OWN = "authorizer"

# An application server each of whose processes answers one request at a time.
_ONE_AT_A_TIME = ("flup",)


def sized(deployment: Deployment, sites: Sequence[SiteFacts], here: Host) -> Deployment:
    """The choices with a number of ``processes`` for each site and pool: one for each CPU, as far
    as memory goes. What was not chosen is that of this machine; its memory says nothing of a host
    whose CPUs were named."""
    if deployment.processes:
        return deployment
    memory = deployment.memory or ("" if deployment.cpu else f"{here.memory}Mi")
    known = replace(deployment, cpu=deployment.cpu or here.cpu, memory=memory)
    return replace(known, processes=_fitting(known, sites))


def _fitting(deployment: Deployment, sites: Sequence[SiteFacts]) -> int:
    """Never fewer than one."""
    if not deployment.memory:
        return deployment.cpu
    groups = sum(1 + len(site.pools) for site in sites)
    most = _room(deployment) // (_mebibytes(deployment.process_memory) * groups)
    return max(1, min(deployment.cpu, most))


def _room(deployment: Deployment) -> int:
    return _mebibytes(deployment.memory) * _QUARTERS // 4


def _mebibytes(quantity: str) -> int:
    """Of an amount as the choice ``memory`` takes it: "512Mi", "2Gi"."""
    return int(quantity[:-2]) << (10 if quantity.endswith("Gi") else 0)


def _amount(mebibytes: int) -> str:
    return f"{mebibytes / 1024:.3g} GiB" if mebibytes >= 1024 else f"{mebibytes} MiB"


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

    An ASGI application opens as many as it has requests at a time; an authorizer has threads of
    its own.
    """
    if plan.interface != "wsgi" or plan.gateway in _UNCOUNTED or plan.front == _OF_ITS_OWN:
        return []
    by_server: dict[str, list[tuple[SiteFacts, DatabaseServer]]] = defaultdict(list)
    for site in plan.sites:
        for database in site.database_servers:
            by_server[database.server].append((site, database))
    return [_counted(plan, found) for _, found in sorted(by_server.items())]


def warnings(plan: Plan) -> Iterator[str]:
    """What exceeds the memory or the stated limit of connections."""
    deployment = plan.deployment
    if _runs_processes(plan) and deployment.memory and _needed(plan) > _room(deployment):
        yield (
            f"memory: {_reckoned(plan)}, but of memory={deployment.memory!r} no more than "
            f"{_amount(_room(deployment))} are for them: the rest of the system needs some. Lower "
            "processes, or name what one of them needs (process_memory)."
        )
    limit = deployment.database_max_connections
    for found in connections(plan):
        if limit is not None and found.number > limit:
            yield (
                f"database connections: {found}, but database_max_connections={limit}. Lower "
                "processes, threads or replicas, or give DATABASES a pool (OPTIONS['pool'])."
            )


def explained(plan: Plan) -> Iterator[str]:
    """The same as lines for ``--explain``, with what changes the numbers."""
    limit = plan.deployment.database_max_connections
    stated = "no limit is stated" if limit is None else f"the limit is {limit}"
    yield from (f"sizing: {line}" for line in _size(plan))
    for found in connections(plan):
        yield f"database connections: {found} at most; {stated} (database_max_connections)"


def _size(plan: Plan) -> Iterator[str]:
    """How many requests are answered at once, and in how much memory; why, and how to change it."""
    if plan.gateway in _OF_THE_FRONT:
        yield _OF_THE_FRONT[plan.gateway]
    elif plan.app_server and not plan.runs_application:
        yield "the application runs elsewhere: see what is written for those hosts"
    elif _runs_processes(plan):
        yield f"{_reason(plan)}{_at_once(plan)}"
        for part in (part for part in plan.each() if part.pool):
            yield f"{_at_once(part)} ({part.name(part.sites[0])})"
        yield f"{_reckoned(plan)}{_compared(plan)}"
        yield f"--set changes it: {', '.join(_changed_by(plan))}"


def _runs_processes(plan: Plan) -> bool:
    """Whether this stack runs application processes on this host, in the number chosen."""
    runs = plan.stands_alone or plan.app_server or plan.gateway == "mod_wsgi"
    other = plan.gateway in _OF_THE_FRONT or plan.front == _OF_ITS_OWN
    return bool(runs) and plan.runs_application and not other


def _changed_by(plan: Plan) -> Iterator[str]:
    if not plan.in_container:
        yield "processes"
    if plan.interface == "wsgi" and plan.app_server not in _ONE_AT_A_TIME:
        yield "threads"
    yield from ("cpu", "memory", "process_memory")


def _reason(plan: Plan) -> str:
    """Where the number of processes is from, unless it was chosen."""
    chosen = plan.deployment
    if not chosen.cpu or chosen.processes != _fitting(chosen, plan.sites):
        return ""
    memory = f" and {_amount(_mebibytes(chosen.memory))}" if chosen.processes < chosen.cpu else ""
    return f"{_many(chosen.cpu, 'CPU')}{memory} → "


def _at_once(plan: Plan) -> str:
    number, threads = plan.deployment.processes, _threads(plan)
    processes = _many(number, "process", "processes")
    each = f", for each of {len(plan.sites)} sites" if len(plan.sites) > 1 else ""
    if plan.interface == "asgi":
        return f"{processes}{each}, each with as many requests at once as come"
    both = f"{processes} × {_many(threads, 'thread')}"
    return f"{both} = {_many(number * threads, 'request')} at once{each}"


def _all_processes(plan: Plan) -> int:
    """Those of each site, and of their pools."""
    return sum(part.deployment.processes for part in plan.each())


def _needed(plan: Plan) -> int:
    return _all_processes(plan) * _mebibytes(plan.deployment.process_memory)


def _reckoned(plan: Plan) -> str:
    number = _many(_all_processes(plan), "process", "processes")
    each = _amount(_mebibytes(plan.deployment.process_memory))
    return f"{number} × about {each} = {_amount(_needed(plan))}"


def _compared(plan: Plan) -> str:
    if not plan.deployment.memory:
        return ", compared with nothing: memory is not stated"
    return f" of {_amount(_mebibytes(plan.deployment.memory))}"


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
