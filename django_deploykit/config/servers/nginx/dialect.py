"""nginx's grammar as a dialect, what depends on the version that reads it, and shared names."""

from __future__ import annotations

from typing import cast

from django_deploykit.config.plan import Plan
from django_deploykit.config.syntax import nginx
from django_deploykit.config.syntax.nodes import Raw
from django_deploykit.config.syntax.printer import Dialect
from django_deploykit.config.versions import ServerVersion

dialect = cast(Dialect, nginx)

# Before it there is no TLS 1.3.
OLDEST = (1, 13)


class Version(ServerVersion):
    """A version of nginx."""

    ASSUMED = (1, 22)


def own_name(plan: Plan) -> str:
    """What tells the names in the emitted file from those in all others: its first site, which
    stands in no other one. Several files may hold several sites each."""
    return plan.sites[0].name


def variable(plan: Plan, name: str) -> Raw:
    """A variable of the emitted file alone: all files of a server share one set of names.

    It is short because nginx refuses a name of more than 46 characters.
    """
    return Raw(f"$dk_{own_name(plan).replace('-', '_')}_{name}")


def shared_name(name: str) -> str:
    """What an upstream or a log format is called, among those of all files."""
    return f"deploykit_{name}"
