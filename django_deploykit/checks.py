"""System checks: the findings of introspection, as ``manage.py check`` shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, Warning

from django_deploykit.config import findings
from django_deploykit.config.findings import Finding, Level
from django_deploykit.config.introspect import introspect_sites


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report what is wrong wherever the project runs: malformed or contradictory settings."""
    return [_message(found) for found in _findings() if not found.kind.deploy]


def check_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report what matters only where the site is served (``check --deploy``)."""
    return [_message(found) for found in _findings() if found.kind.deploy]


def _findings() -> Sequence[Finding]:
    """Those of each of SITES, where there are some: else of this project."""
    return introspect_sites()[1]


def check_auth(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report what is wrong with DEPLOYKIT["AUTH"]."""
    return _auth_messages(lambda problems: problems.settings_problems())


def check_auth_deployment(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """Report what keeps auth endpoints from working where the site is served."""
    return [_message(found) for found in auth_findings() if found.kind.deploy]


def check_groups(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Report groups that Apache takes for one (``check --database``)."""
    return _auth_messages(lambda problems: problems.database_problems(databases or ()))


def auth_findings() -> list[Finding]:
    """What is wrong with DEPLOYKIT["AUTH"], and with the endpoints where the site is served."""
    return [
        *_auth_findings(lambda problems: problems.settings_problems()),
        *_auth_findings(lambda problems: problems.deployment_problems()),
    ]


def _auth_messages(
    look: Callable[[Any], Iterable[Any]], *, deploy: bool = False
) -> list[CheckMessage]:
    return [_message(one) for one in _auth_findings(look) if one.kind.deploy is deploy]


def _auth_findings(look: Callable[[Any], Iterable[Any]]) -> list[Finding]:
    if not apps.is_installed("django.contrib.auth"):
        return []
    # Only here: it imports models of django.contrib.auth, which not every project has.
    from django_deploykit.auth import problems

    kinds = vars(findings)
    return [Finding(kinds[one.kind], one.setting, one.message) for one in look(problems)]


def _message(found: Finding) -> CheckMessage:
    kind = Error if found.kind.level is Level.ERROR else Warning
    return kind(f"{found.setting}: {found.message}", hint=found.kind.hint, id=found.kind.id)
