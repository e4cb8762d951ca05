"""What a command says where there are no users."""

from __future__ import annotations

from django.apps import apps
from django.core.management.base import CommandError

from django_deploykit.management.choices import MISTAKE

_APP = "django.contrib.auth"


def require_users() -> None:
    """Raise CommandError in a project without Django's users, such as one that names SITES."""
    if not apps.is_installed(_APP):
        raise CommandError(
            f"INSTALLED_APPS: {_APP!r} is not there, so there are no users. Name the settings of a "
            "site that has them: add --settings MODULE.",
            returncode=MISTAKE,
        )
