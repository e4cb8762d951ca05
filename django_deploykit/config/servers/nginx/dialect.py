"""nginx's grammar as a dialect, what depends on the version that reads it, and shared names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from django_deploykit.config import deployment as choices
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.renderer import Plan
from django_deploykit.config.syntax import nginx
from django_deploykit.config.syntax.nodes import Raw
from django_deploykit.config.syntax.printer import Dialect

dialect = cast(Dialect, nginx)

# What distributions had lately, where neither an installed nor a named version is known.
ASSUMED = (1, 22)
# Before it there is no TLS 1.3.
OLDEST = (1, 13)


@dataclass(frozen=True)
class Version:
    """A version of nginx. A short one such as 1.22 means its latest."""

    numbers: choices.Version

    @classmethod
    def of(cls, deployment: Deployment) -> Version:
        return cls(deployment.server_version or ASSUMED)

    def __str__(self) -> str:
        return ".".join(str(number) for number in self.numbers)

    def at_least(self, *wanted: int) -> bool:
        return self.numbers >= wanted[: len(self.numbers)]


def file_name(plan: Plan) -> str:
    """The name of the emitted file, without its ending; it tells the file's names apart."""
    return plan.sites[0].name if len(plan.sites) == 1 else "sites"


def variable(plan: Plan, name: str) -> Raw:
    """A variable of the emitted file alone: all files of a server share one set of names.

    It is short because nginx refuses a name of more than 46 characters.
    """
    return Raw(f"$dk_{file_name(plan).replace('-', '_')}_{name}")


def shared_name(name: str) -> str:
    """What an upstream or a log format is called, among those of all files."""
    return f"deploykit_{name}"
