"""The databases that are asked over connections, of which their server has only so many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django_deploykit.config.facts import DatabaseServer
from django_deploykit.config.introspect.context import Context

# What is asked without a connection: a file, or nothing at all.
_WITHOUT = ("", "django.db.backends.dummy", "django.db.backends.sqlite3")

# How large a pool is that nobody gave a size: psycopg_pool's and oracledb's own default.
_POOLS = {"postgresql": 4, "postgis": 4, "oracle": 2}


def servers(context: Context) -> tuple[DatabaseServer, ...]:
    """Each of DATABASES that has connections; those of one HOST and PORT share a server."""
    return tuple(
        DatabaseServer(
            alias=alias,
            server=f"{database.get('HOST', '')}:{database.get('PORT', '')}",
            pool=_pool(database),
        )
        for alias, database in context.settings.DATABASES.items()
        if database.get("ENGINE", "") not in _WITHOUT
    )


def _pool(database: Mapping[str, Any]) -> int | None:
    """The connections of a process's pool at most (psycopg_pool.ConnectionPool: ``max_size``,
    else ``min_size``; oracledb.create_pool: ``max``)."""
    pool = (database.get("OPTIONS") or {}).get("pool")
    if not pool:
        return None
    sizes = pool if isinstance(pool, Mapping) else {}
    kind = database["ENGINE"].rpartition(".")[2]
    stated = sizes.get("max_size") or sizes.get("max") or sizes.get("min_size")
    return int(stated or _POOLS.get(kind, 0)) or None
