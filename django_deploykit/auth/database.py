"""Connections outside of Django's own request cycle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import close_old_connections, reset_queries


@contextmanager
def fresh_connections() -> Iterator[None]:
    """As Django does around each request: no connection that is too old, before or after."""
    reset_queries()
    close_old_connections()
    try:
        yield
    finally:
        reset_queries()
        close_old_connections()
