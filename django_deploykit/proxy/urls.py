"""STATIC_URL, MEDIA_URL and storages under a prefix that each request brings anew."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import LazySettings, settings
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.core.files.storage import FileSystemStorage, InMemoryStorage, storages

_STATIC = "django.contrib.staticfiles"


def follow_script_prefix() -> None:
    """Let relative URLs of settings, and of storages, carry the prefix of the moment.

    Django puts the script prefix in front of them once, at the first look, and keeps them for
    the life of the process (django/conf/__init__.py): one request would decide for all others.
    """
    if isinstance(LazySettings.__dict__.get("STATIC_URL"), property):
        return
    if apps.is_installed(_STATIC) and settings.STATIC_URL:
        storages["staticfiles"]  # It keeps the STATIC_URL that it is made with: now, this one.
    for storage in (FileSystemStorage, InMemoryStorage):
        look = storage.__dict__["base_url"].func
        storage.base_url = property(look, _set_base_url)  # type: ignore[assignment]
    _follow_static(settings.STATIC_URL)
    for name in ("MEDIA_URL", "STATIC_URL"):
        setattr(LazySettings, name, _setting(name))


def _setting(name: str) -> property:
    """The setting, read anew at each look: a property goes before what is kept."""
    return property(lambda self: LazySettings.__getattr__(self, name))


def _follow_static(first: str | None) -> None:
    look = FileSystemStorage.__dict__["base_url"].fget

    def base_url(storage: StaticFilesStorage) -> Any:
        kept = look(storage)
        return settings.STATIC_URL if kept == first else kept

    StaticFilesStorage.base_url = property(base_url, _set_base_url)  # type: ignore[assignment]


def _set_base_url(storage: Any, url: str) -> None:
    storage._base_url = url
