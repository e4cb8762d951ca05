"""Storages that keep files on this machine: their classes, directories and URLs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.files.storage import FileSystemStorage
from django.utils.module_loading import import_string

from django_deploykit.config import findings
from django_deploykit.config.introspect.context import Context, is_elsewhere


@dataclass(frozen=True)
class Storage:
    """A storage as STORAGES names it: its class, and its options."""

    backend: type
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        return issubclass(self.backend, FileSystemStorage)


def storage(context: Context, alias: str) -> Storage | None:
    """The storage of this alias; None, with a finding, if there is none that can be used."""
    entry = context.settings.STORAGES.get(alias)
    if not isinstance(entry, Mapping) or "BACKEND" not in entry:
        context.find(findings.BAD_STORAGE, "STORAGES", f"it has no usable entry {alias!r}.")
        return None
    backend = entry["BACKEND"]
    try:
        found = import_string(backend) if isinstance(backend, str) else backend
    except Exception:  # An import may raise anything, such as ImproperlyConfigured.
        found = None
    if not isinstance(found, type):
        context.find(findings.BAD_STORAGE, "STORAGES", f"{backend!r} cannot be imported.")
        return None
    return Storage(found, entry.get("OPTIONS") or {})


def location(context: Context, storage: Storage, setting: str) -> Path | None:
    """The directory of a local storage: its own option, else the setting; None if unset."""
    value = storage.options.get("location") or getattr(context.settings, setting)
    if not value:
        return None
    path = Path(str(value))
    if not path.is_absolute():
        message = f"{str(value)!r} means another directory wherever a command is started."
        context.find(findings.RELATIVE_PATH, setting, message)
    return path.absolute()


def url(context: Context, storage: Storage | None, setting: str, prefix: str) -> str | None:
    """The URL path of a local storage, with the prefix; None if it is unset or elsewhere."""
    option = storage.options.get("base_url") if storage else None
    # Of an option, Django adds the last slash.
    value = f"{str(option).rstrip('/')}/" if option else context.as_written(setting)
    if not value or is_elsewhere(value):
        return None
    if value == "/" or not value.endswith("/"):
        message = f"{value!r} would take the whole site, or does not end in a slash."
        context.find(findings.BAD_URL, "STORAGES" if option else setting, message)
    return value if value.startswith("/") else f"{prefix}/{value}"
