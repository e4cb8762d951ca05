"""The library: uploads for everybody, documents for some, and pages that look at the server."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register


class LibraryConfig(AppConfig):
    name = "library"

    def ready(self) -> None:
        from library.checks import check_secret_key

        register(check_secret_key)
