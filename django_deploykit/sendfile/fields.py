"""Model fields whose files lie in a protected directory."""

from __future__ import annotations

from typing import Any

from django.core.files.storage import Storage, storages
from django.db import models

from django_deploykit.sendfile.storage import ProtectedStorage

_ALIAS = "protected"


def protected_storage() -> Storage:
    """The storage of the alias ``"protected"`` in STORAGES, else that of the only directory."""
    if _ALIAS in storages.backends:
        return storages[_ALIAS]
    return ProtectedStorage()


class _Protected:
    """Gives a field its storage, by a callable: a migration then holds no path of a machine."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("storage", protected_storage)
        super().__init__(*args, **kwargs)


class ProtectedFileField(_Protected, models.FileField):
    """A FileField whose files no URL leads to."""


class ProtectedImageField(_Protected, models.ImageField):
    """An ImageField whose files no URL leads to."""
