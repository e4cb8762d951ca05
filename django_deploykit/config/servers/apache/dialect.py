"""Apache's grammar as a dialect, and what depends on the version that reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from django_deploykit.config import deployment as choices
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.syntax import apache
from django_deploykit.config.syntax.nodes import Node, Raw, directive
from django_deploykit.config.syntax.printer import Dialect

dialect = cast(Dialect, apache)

# Between the arguments of a directive outside of every block: the next line goes on.
CONTINUED = Raw("\\\n   ")

# What a distribution had lately, where neither an installed nor a named version is known.
ASSUMED = (2, 4)


@dataclass(frozen=True)
class Version:
    """A version of httpd, and what it can do. A short one such as 2.4 means its latest."""

    numbers: choices.Version

    @classmethod
    def of(cls, deployment: Deployment) -> Version:
        return cls(deployment.server_version or ASSUMED)

    def __str__(self) -> str:
        return ".".join(str(number) for number in self.numbers)

    def at_least(self, *wanted: int) -> bool:
        return self.numbers >= wanted[: len(self.numbers)]

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
