"""A storage for files that only views hand out."""

from __future__ import annotations

import os
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage
from django.urls import reverse

from django_deploykit.sendfile import policy


class _NoURL(ValueError, AttributeError):
    """No URL leads to a file. Of Django's storages that is a ValueError; its forms, and the
    serializers of REST framework, take only AttributeError for it (django.forms.widgets)."""


class ProtectedStorage(FileSystemStorage):
    """Files in a directory of SITE["PROTECTED"], readable for the site's own user and group.

    ``location`` may be left out where there is one such directory. ``url_name`` is the view whose
    URL, with the file's name as its argument, is the file's own; without it, a file has none.
    """

    def __init__(self, location: Any = None, url_name: str = "", **kwargs: Any) -> None:
        self._url_name, self._own_location = url_name, location
        modes = {"file_permissions_mode": 0o640, "directory_permissions_mode": 0o750}
        super().__init__(location, **{**modes, **kwargs})

    @property
    def base_location(self) -> Any:
        """The directory, looked up when it is needed: models are loaded without it."""
        return self._own_location or _only_directory()

    @property
    def location(self) -> str:
        """Its absolute path."""
        return str(os.path.abspath(self.base_location))

    def url(self, name: str | None) -> str:
        """The URL of the view. Raise ValueError where there is none: no file has one of its own."""
        if not self._url_name:
            raise _NoURL("A protected file has no URL: link to the view that sends it.")
        return reverse(self._url_name, args=[name])


def _only_directory() -> str:
    roots = policy.read().roots
    if len(roots) != 1:
        raise ImproperlyConfigured(
            f"ProtectedStorage: DEPLOYKIT['SITE']['PROTECTED'] names {len(roots)} directories. "
            "Give 'location', one of them."
        )
    return roots[0].directory
