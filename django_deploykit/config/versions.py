"""Versions of servers, as the choice ``server_version`` names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from django_deploykit.config import values
from django_deploykit.config.deployment import Deployment
from django_deploykit.exceptions import ChoiceError


@dataclass(frozen=True)
class ServerVersion:
    """A version of one server. A short one such as 2.4 means its latest."""

    numbers: values.Version

    # What distributions had lately, where neither an installed nor a named version is known.
    ASSUMED: ClassVar[values.Version]

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        return cls(deployment.server_version or cls.ASSUMED)

    def __str__(self) -> str:
        return dotted(self.numbers)

    def at_least(self, *wanted: int) -> bool:
        return self.numbers >= wanted[: len(self.numbers)]


def refuse_older(version: ServerVersion, server: str, oldest: values.Version) -> None:
    """Raise ChoiceError for a version that lacks what is always written."""
    if not version.at_least(*oldest):
        raise ChoiceError(
            f"server_version: needs {server} {dotted(oldest)} or newer, not {version}."
        )


def dotted(numbers: values.Version) -> str:
    """A version as people write it."""
    return ".".join(map(str, numbers))
