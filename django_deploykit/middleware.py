"""The names that a project writes in MIDDLEWARE."""

from __future__ import annotations

from django_deploykit.identity.middleware import ProxyIdentityMiddleware

__all__ = ["ProxyIdentityMiddleware"]
