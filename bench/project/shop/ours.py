"""The same with django-deploykit, as its documentation has it."""

from __future__ import annotations

from shop.settings import *  # noqa: F403
from shop.settings import INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [*INSTALLED_APPS, "django_deploykit"]
MIDDLEWARE = ["django_deploykit.middleware.TrustedProxyMiddleware", *MIDDLEWARE]
