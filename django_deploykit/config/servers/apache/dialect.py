"""Apache's grammar as a dialect, and what depends on the version that reads it."""

from __future__ import annotations

from typing import cast

from django_deploykit.config.syntax import apache
from django_deploykit.config.syntax.nodes import Node, Raw, directive
from django_deploykit.config.syntax.printer import Dialect
from django_deploykit.config.versions import ServerVersion

dialect = cast(Dialect, apache)

# Between the arguments of a directive outside of every block: the next line goes on.
CONTINUED = Raw("\\\n   ")


class Version(ServerVersion):
    """A version of httpd, and what it can do."""

    ASSUMED = (2, 4)

    @property
    def modern(self) -> bool:
        """2.4: ``Require``, ``<If>``, ``IncludeOptional``; 2.2 has none of them."""
        return self.at_least(2, 4)


def grant(version: Version, why: str, setting: str = "") -> list[Node]:
    """Let everybody in, in the access rules of this version."""
    if version.modern:
        return [directive("Require", "all", "granted", why=why, setting=setting)]
    return _order("allow,deny", "Allow", why, setting)


def refuse(version: Version, why: str, setting: str = "") -> list[Node]:
    """Let nobody in, in the access rules of this version."""
    if version.modern:
        return [directive("Require", "all", "denied", why=why, setting=setting)]
    return _order("deny,allow", "Deny", why, setting)


def _order(order: str, verb: str, why: str, setting: str) -> list[Node]:
    return [
        directive("Order", Raw(order), why=why, setting=setting),
        directive(verb, "from", "all", why=why, setting=setting),
    ]
