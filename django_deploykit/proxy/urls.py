"""STATIC_URL, MEDIA_URL and storages under a prefix that each request brings anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.conf import LazySettings, settings
from django.core.files.storage import FileSystemStorage, InMemoryStorage, storages

_SETTINGS = ("MEDIA_URL", "STATIC_URL")


class _Kept(str):
    """A setting with the prefix of one moment. Whoever kept it can ask for the present one."""

    setting: str


def follow_script_prefix() -> None:
    """Let relative URLs of settings, and of storages, carry the prefix of the moment.

    Django puts the script prefix in front of them once, at the first look, and keeps them for
    the life of the process (django/conf/__init__.py): one request would decide for all others.
    """
    if isinstance(LazySettings.__dict__.get(_SETTINGS[0]), property):
        return
    for name in _SETTINGS:
        setattr(LazySettings, name, _setting(name))
    for storage in (FileSystemStorage, InMemoryStorage):
        look = storage.__dict__["base_url"].func
        storage.base_url = _base_url(look)  # type: ignore[assignment]
    # Where wrap() comes before Django, none was made yet.
    if apps.apps_ready and apps.is_installed("django.contrib.staticfiles"):
        _adopt(storages["staticfiles"])


def _setting(name: str) -> property:
    """The setting, read anew at each look: a property goes before what an instance keeps."""

    def look(self: LazySettings) -> Any:
        value = LazySettings.__getattr__(self, name)
        if not isinstance(value, str):
            return value
        kept = _Kept(value)
        kept.setting = name
        return kept

    return property(look)


def _base_url(look: Callable[[Any], Any]) -> property:
    """The URL of a storage; if it is that of a setting, with the prefix of the moment."""

    def base_url(storage: Any) -> Any:
        found = look(storage)
        return getattr(settings, found.setting) if isinstance(found, _Kept) else found

    def set_base_url(storage: Any, url: str) -> None:
        storage._base_url = url

    return property(base_url, set_base_url)


def _adopt(storage: Any) -> None:
    """Let the storage of static files, which was perhaps made before, ask again too."""
    if getattr(storage, "_base_url", None) == settings.STATIC_URL:
        storage._base_url = settings.STATIC_URL
