"""What every reader of settings is handed: the settings, SITE, and a place for findings."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import UserSettingsHolder, settings

from django_deploykit.config import findings
from django_deploykit.config.findings import Finding, Kind


@dataclass
class Context:
    """One reading of one project. ``places`` name keys of SITE that came from elsewhere."""

    site: Mapping[str, Any]
    places: Mapping[str, str] = field(default_factory=dict)
    # A factory: a dataclass looks at a plain default, and that would load the settings.
    settings: Any = field(default_factory=lambda: settings)
    findings: list[Finding] = field(default_factory=list)

    def find(self, kind: Kind, setting: str, message: str) -> None:
        """Note, once, that ``setting`` has this fault."""
        found = Finding(kind, setting, message)
        if found not in self.findings:
            self.findings.append(found)

    def find_type(self, setting: str, value: object, expected: str) -> None:
        """Note a value of the wrong type; it is not repeated, for it may hold a secret."""
        self.find(findings.CONF_TYPE, setting, wrong_type(value, expected))

    def typed(self, name: str, kind: Any, expected: str, instead: Any) -> Any:
        """A setting of Django's whose type no check of Django's tells; ``instead``, with a finding,
        where that is a wrong one."""
        value = getattr(self.settings, name)
        if isinstance(value, kind):
            return value
        self.find_type(name, value, expected)
        return instead

    def absolute(self, setting: str, value: object) -> Path:
        """A path that settings name; a relative one is noted, and is as it would be here."""
        path = Path(str(value))
        if not path.is_absolute():
            message = f"{str(value)!r} means another place wherever a command is started."
            self.find(findings.RELATIVE_PATH, setting, message)
        return path.absolute()

    def key(self, name: str) -> str:
        """How a key of SITE is called in messages."""
        return self.places.get(name, f"DEPLOYKIT['SITE'][{name!r}]")

    def as_written(self, name: str) -> str | None:
        """The setting without what Django's own access does: it puts the script prefix in front
        of relative STATIC_URL and MEDIA_URL, and keeps that for the life of the process; for an
        empty SECRET_KEY it raises."""
        value = getattr(self.settings._wrapped, name)
        return None if value is None else str(value)

    def is_default(self, name: str) -> bool:
        """Tell whether nobody set this setting, so that it has Django's own default."""
        return not self.settings.is_overridden(name)

    @property
    def settings_module(self) -> str:
        """The dotted name of the settings module; '' if there is none."""
        holder = self.settings._wrapped
        while isinstance(holder, UserSettingsHolder):  # override_settings() puts these around it.
            holder = holder.default_settings
        return getattr(holder, "SETTINGS_MODULE", None) or ""


def wrong_type(value: object, expected: str) -> str:
    """Say which type a value has, and which one it should have."""
    return f"it is of type {type(value).__name__!r}, not {expected}."


def real(path: object) -> Path:
    """The absolute path, without symbolic links."""
    return Path(str(path)).resolve()


def contains(outer: Path, inner: Path) -> bool:
    """Tell whether ``inner`` is ``outer`` or lies below it, links followed."""
    return real(inner).is_relative_to(real(outer))


def not_there(path: Path, is_there: bool, kind: str) -> str:
    """What is wrong with the path of a file or directory that has to exist; "" if nothing is."""
    if not path.is_absolute():
        return f"{str(path)!r} is not an absolute path; write it as BASE_DIR / {str(path)!r}."
    return "" if is_there else f"{str(path)!r} is not an existing {kind}."


def is_file(path: Path) -> bool:
    """Tell whether this is a file, as far as the user who asks may know."""
    return _has_kind(path, stat.S_IFREG)


def is_directory(path: Path) -> bool:
    """Tell whether this is a directory, as far as the user who asks may know."""
    return _has_kind(path, stat.S_IFDIR)


def is_elsewhere(url: str) -> bool:
    """Tell whether a URL names another host (a CDN or a bucket)."""
    return "://" in url or url.startswith("//")


def _has_kind(path: Path, kind: int) -> bool:
    try:
        return stat.S_IFMT(os.stat(path).st_mode) == kind
    except PermissionError:
        return True  # It may well be there for the server's user; the permission walk tells.
    except (OSError, ValueError):
        return False
