"""System checks of the example project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured


def check_secret_key(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Say before the first request what Django would only say during it."""
    try:
        settings.SECRET_KEY  # noqa: B018 # reading an empty one is what raises
    except ImproperlyConfigured as error:
        hint = "Run 'manage.py demo_data', which makes one, or set the SECRET_KEY variable."
        return [Error(str(error), hint=hint, id="library.E001")]
    return []
