"""The databases that are asked over connections, of which their server has only so many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django_deploykit.config.facts import DatabaseServer
from django_deploykit.config.introspect.context import Context

# The backends of which a database is a file; whoever wraps one keeps its name.
_FILES = ("sqlite3", "spatialite")
# And those without any database.
_NOTHING = ("", "dummy")

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
        if not in_a_file(database) and _kind(database) not in _NOTHING
    )


def in_a_file(database: Mapping[str, Any]) -> bool:
    """Tell whether an entry of DATABASES is a file, which the application itself opens."""
    return _kind(database) in _FILES


def _kind(database: Mapping[str, Any]) -> str:
    return str(database.get("ENGINE") or "").rpartition(".")[2]


def _pool(database: Mapping[str, Any]) -> int | None:
    """The connections of a process's pool at most (psycopg_pool.ConnectionPool: ``max_size``,
    else ``min_size``; oracledb.create_pool: ``max``)."""
    pool = (database.get("OPTIONS") or {}).get("pool")
    if not pool:
        return None
    sizes = pool if isinstance(pool, Mapping) else {}
    stated = sizes.get("max_size") or sizes.get("max") or sizes.get("min_size")
    return int(stated or _POOLS.get(_kind(database), 0)) or None
