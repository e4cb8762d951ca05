"""The stacks that the behaviour suite runs, by name; each holds the whole table."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass

from django_deploykit.config.servers.apache import installed
from tests.servers import harness


@dataclass(frozen=True)
class Stack:
    """A stack and how to ask ``deployrun`` for it."""

    label: str
    target: str
    gateway: str
    choices: tuple[str, ...]
    require: Callable[[], None]

    @property
    def arguments(self) -> tuple[str, ...]:
        chosen = [word for choice in self.choices for word in ("--set", choice)]
        return (self.target, "--gateway", self.gateway, "--set", "processes=2", *chosen)

    @property
    def is_apache(self) -> bool:
        return self.target == "apache"


def _require_distribution() -> None:
    harness.require_apache()
    harness.require("the distribution's mod_wsgi", installed.distribution_module())


def _require_package() -> None:
    harness.require_apache()
    harness.require("the package index's mod_wsgi", installed.package_module())


def _require_gunicorn() -> None:
    harness.require("gunicorn", importlib.util.find_spec("gunicorn"))


def _distribution_fits() -> bool:
    """Tell whether the distribution's mod_wsgi is for this Python; a missing one is not
    excused here, but skipped or failed by name."""
    python = installed.module_facts(installed.distribution_module())[1]
    return python in (None, sys.version_info[:2])


def _stacks() -> list[Stack]:
    found = [
        Stack("apache/mod_wsgi from the package index", "apache", "mod_wsgi", (), _require_package),
        Stack("gunicorn/http", "gunicorn", "http", (), _require_gunicorn),
    ]
    if not _distribution_fits():
        embedded = Stack(
            "apache/mod_wsgi-embedded", "apache", "mod_wsgi-embedded", (), _require_package
        )
        return [*found, embedded]
    choice = (f"mod_wsgi_module={installed.distribution_module()}",)
    return [
        *found,
        Stack("apache/mod_wsgi", "apache", "mod_wsgi", choice, _require_distribution),
        Stack(
            "apache/mod_wsgi-embedded",
            "apache",
            "mod_wsgi-embedded",
            choice,
            _require_distribution,
        ),
    ]


STACKS = {stack.label: stack for stack in _stacks()}


def apache() -> Stack:
    """Apache with whichever mod_wsgi fits this Python, the distribution's first."""
    label = "apache/mod_wsgi"
    stack = STACKS.get(label) or STACKS[f"{label} from the package index"]
    stack.require()
    return stack
