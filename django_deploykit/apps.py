"""The application that settings list as ``"django_deploykit"``."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register


class DjangoDeploykitConfig(AppConfig):
    name = "django_deploykit"
    verbose_name = "Deployment"

    def ready(self) -> None:
        from django_deploykit import checks

        register(checks.check_settings)
        register(checks.check_deployment, Tags.security, deploy=True)
        register(checks.check_auth)
        register(checks.check_auth_deployment, Tags.security, deploy=True)
        register(checks.check_groups, Tags.database)
