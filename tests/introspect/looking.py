"""Words for what was found."""

from __future__ import annotations

from typing import Any

from django_deploykit.config import findings
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.findings import Kind
from django_deploykit.config.introspect import Introspection


def ids(introspection: Introspection) -> set[str]:
    """The short ids of everything found."""
    return {found.kind.id.removeprefix("deploykit.") for found in introspection.findings}


def facts(introspection: Introspection) -> SiteFacts:
    """The facts of settings that may hold no error."""
    assert introspection.errors == ()
    assert introspection.facts is not None
    return introspection.facts


def messages(introspection: Introspection) -> str:
    return "\n".join(str(found) for found in introspection.findings)


def kinds() -> dict[str, Kind]:
    """Every kind of finding, by the name of its constant."""
    return {name: value for name, value in vars(findings).items() if isinstance(value, Kind)}


def urlconf(*patterns: Any) -> type:
    """An object that ROOT_URLCONF may be, with these routes."""
    return type("Urls", (), {"urlpatterns": list(patterns)})


def view(request: object) -> None:
    """A view that is never called."""
