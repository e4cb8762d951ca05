"""System checks: the findings of introspection, as ``manage.py check`` shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Warning

from django_deploykit.config.findings import Finding, Level
from django_deploykit.config.introspect import introspect


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report what is wrong wherever the project runs: malformed or contradictory settings."""
    return [_message(found) for found in introspect().findings if not found.kind.deploy]


def check_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report what matters only where the site is served (``check --deploy``)."""
    return [_message(found) for found in introspect().findings if found.kind.deploy]


def _message(found: Finding) -> CheckMessage:
    kind = Error if found.kind.level is Level.ERROR else Warning
    return kind(f"{found.setting}: {found.message}", hint=found.kind.hint, id=found.kind.id)
