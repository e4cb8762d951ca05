"""What every reader of settings is handed: the settings, SITE, and a place for findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from django_deploykit.config.findings import Finding, Kind


@dataclass
class Context:
    """One reading of one project."""

    site: Mapping[str, Any]
    settings: Any = settings
    findings: list[Finding] = field(default_factory=list)

    def find(self, kind: Kind, setting: str, message: str) -> None:
        """Note that ``setting`` has this fault."""
        self.findings.append(Finding(kind, setting, message))

    def unprefixed(self, name: str) -> str | None:
        """The setting as written: Django's own access puts the script prefix in front of
        relative STATIC_URL and MEDIA_URL, and then keeps that for the life of the process."""
        value = getattr(self.settings._wrapped, name)
        return None if value is None else str(value)


def key(name: str) -> str:
    """How a key of SITE is called in messages."""
    return f"DEPLOYKIT['SITE'][{name!r}]"


def real(path: object) -> Path:
    """The absolute path, without symbolic links."""
    return Path(str(path)).resolve()


def contains(outer: Path, inner: Path) -> bool:
    """Tell whether ``inner`` is ``outer`` or lies below it, links followed."""
    return real(inner).is_relative_to(real(outer))


def is_elsewhere(url: str) -> bool:
    """Tell whether a URL names another host (a CDN or a bucket)."""
    return "://" in url or url.startswith("//")
