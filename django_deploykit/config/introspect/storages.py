"""Storages that keep files on this machine: their classes, directories and URLs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from django.core.files.storage import FileSystemStorage
from django.utils.module_loading import import_string

from django_deploykit.config import findings
from django_deploykit.config.introspect.context import Context, is_elsewhere
from django_deploykit.config.introspect.names import hosts

# The aliases that Django itself uses, each for one thing.
_OF_DJANGO = ("default", "staticfiles")
# Whose storages take their place from options and settings alone.
_KNOWN = ("builtins", "django", "whitenoise")


@dataclass(frozen=True)
class Storage:
    """A storage as STORAGES names it: its class, and its options, with what a class of the project
    says itself of its place."""

    backend: type
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        return issubclass(self.backend, FileSystemStorage)


def storage(context: Context, alias: str) -> Storage | None:
    """The storage of this alias; None, with a finding, if there is none that can be used."""
    entry = entries(context).get(alias)
    if not _is_usable(entry):
        context.find(findings.BAD_STORAGE, "STORAGES", f"it has no usable entry {alias!r}.")
        return None
    found = _made_of(context, entry)
    if found is None:
        context.find(findings.BAD_STORAGE, "STORAGES", f"{entry['BACKEND']!r} cannot be imported.")
    return found


def entries(context: Context) -> Mapping[str, Any]:
    """What STORAGES holds, by alias."""
    found: Mapping[str, Any] = context.typed("STORAGES", Mapping, "a dict of storages", {})
    return found


def _is_usable(entry: Any) -> TypeGuard[Mapping[str, Any]]:
    is_named = isinstance(entry, Mapping) and "BACKEND" in entry
    return is_named and isinstance(entry.get("OPTIONS") or {}, Mapping)


def others(context: Context) -> Iterator[Storage]:
    """The storages under aliases of the project's own. One that cannot be imported is left out: it
    may be of another machine."""
    for alias, entry in entries(context).items():
        if alias not in _OF_DJANGO and _is_usable(entry):
            found = _made_of(context, entry)
            if found:
                yield found


def _made_of(context: Context, entry: Mapping[str, Any]) -> Storage | None:
    backend, options = entry.get("BACKEND"), entry.get("OPTIONS") or {}
    try:
        found = import_string(backend) if isinstance(backend, str) else backend
    except Exception:  # An import may raise anything, such as ImproperlyConfigured.
        return None
    if not isinstance(found, type):
        return None
    return Storage(found, {**options, **_own_place(context, found, options)})


def _own_place(context: Context, backend: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """What a local storage says of its place in an ``__init__`` of its own; nothing where it cannot
    be made here. Django makes it in the same way, as soon as a file is asked for."""
    if not issubclass(backend, FileSystemStorage) or not _has_own_init(backend):
        return {}
    try:
        made: Any = backend(**options)
        manifests = getattr(made, "manifest_storage", made)
        url = made._base_url if made._base_url not in _settled(context) else None
        place = {"location": made._location, "base_url": url}
    except Exception:  # Code of the project may raise anything.
        return {}
    found = {**place, "manifest_storage": manifests if manifests is not made else None}
    return {name: value for name, value in found.items() if value}


def _settled(context: Context) -> tuple[str, str]:
    """The URLs of settings: Django puts a prefix before them, that SITES may replace."""
    return context.settings.STATIC_URL, context.settings.MEDIA_URL


def _has_own_init(backend: type) -> bool:
    stated = (base.__module__ for base in backend.__mro__ if "__init__" in vars(base))
    return any(module.partition(".")[0] not in _KNOWN for module in stated)


def location(context: Context, storage: Storage, setting: str) -> Path | None:
    """The directory of a local storage: its own option, else the setting; None if unset."""
    value = storage.options.get("location") or getattr(context.settings, setting)
    return context.absolute(setting, value) if value else None


def url(context: Context, storage: Storage | None, setting: str, prefix: str) -> str | None:
    """The URL path of a local storage, with the prefix; None if it is unset or elsewhere."""
    option = storage.options.get("base_url") if storage else None
    # Of an option, Django adds the last slash.
    value = f"{str(option).rstrip('/')}/" if option else context.as_written(setting)
    if value and is_elsewhere(value):
        value = _own_path(context, value)
    if not value:
        return None
    if value == "/" or not value.endswith("/"):
        message = f"{value!r} would take the whole site, or does not end in a slash."
        context.find(findings.BAD_URL, "STORAGES" if option else setting, message)
    return value if value.startswith("/") else f"{prefix}/{value}"


def _own_path(context: Context, url: str) -> str | None:
    """The path of a URL that names a host of this very site, as it may for mails; None where that
    is another host, all of this one, or a port, which may be another server's."""
    own, (host, _, path) = hosts(context), url.partition("//")[2].partition("/")
    names = {*own.exact, *(suffix[1:] for suffix in own.suffixes)}
    return f"/{path}" if path and host.lower() in names else None
