"""System checks: the findings of introspection, as ``manage.py check`` shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Warning

from django_deploykit import conf
from django_deploykit.config.deployment import parse_choices
from django_deploykit.config.findings import CHOICE, Finding, Level
from django_deploykit.config.introspect import introspect
from django_deploykit.exceptions import ChoiceError


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report what makes a correct configuration impossible, or surprising."""
    return [_message(f) for f in [*introspect().findings, *_choices()] if not f.kind.deploy]


def check_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report what matters only to a site on the network (``check --deploy``)."""
    return [_message(found) for found in introspect().findings if found.kind.deploy]


def _choices() -> list[Finding]:
    try:
        parse_choices(conf.read().deployment, "DEPLOYKIT['DEPLOYMENT']")
    except ChoiceError as error:
        return [Finding(CHOICE, "DEPLOYKIT['DEPLOYMENT']", str(error))]
    return []


def _message(found: Finding) -> CheckMessage:
    kind = Error if found.kind.level is Level.ERROR else Warning
    return kind(f"{found.setting}: {found.message}", hint=found.kind.hint, id=found.kind.id)
