"""A project behind a front, in this process."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import AsyncClient, Client

BACKEND = "django_deploykit.backends.ProxyIdentityBackend"
MIDDLEWARE = "django_deploykit.middleware.ProxyIdentityMiddleware"
STOCK_BACKEND = "django.contrib.auth.backends.ModelBackend"
TRUSTED_PROXY = "django_deploykit.middleware.TrustedProxyMiddleware"
# The test client's own address.
PROXY = {"TRUSTED": ["127.0.0.1"]}
STACK = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)


class Front:
    """What stands before the site, as far as settings say."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings

    def believe(self, *, looks: bool = True, **identity: Any) -> Front:
        """Configure IDENTITY, behind a proxy that TrustedProxyMiddleware trusts if it looks."""
        source = {} if "PRESET" in identity else {"USER": "env:REMOTE_USER"}
        self._settings.DEPLOYKIT = {"IDENTITY": {**source, **identity}, "PROXY": PROXY}
        before = [TRUSTED_PROXY] if looks else []
        self._settings.MIDDLEWARE = [*before, *STACK, MIDDLEWARE]
        return self

    def client(self, **extra: Any) -> Client:
        return Client(**extra)

    def get_async(self, client: AsyncClient, path: str, **headers: str) -> Any:
        """Ask under ASGI; an underscore in a keyword is the dash of a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return async_to_sync(client.get)(path, headers=named)


@pytest.fixture
def front(settings: Any, db: None) -> Front:
    """Apache's own authentication, unless told otherwise."""
    settings.ROOT_URLCONF = "tests.identity.urls"
    settings.AUTHENTICATION_BACKENDS = [STOCK_BACKEND, BACKEND]
    settings.ALLOWED_HOSTS = ["*"]
    return Front(settings).believe()


@pytest.fixture
def proxied(front: Front) -> Front:
    """A proxy of Authelia's, believed because it is trusted."""
    return front.believe(PRESET="authelia")


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create(username="alice")


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create(username="root", is_staff=True, is_superuser=True)
