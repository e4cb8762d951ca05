"""The names that a project writes in AUTHENTICATION_BACKENDS."""

from __future__ import annotations

from django_deploykit.identity.backend import ProxyIdentityBackend

__all__ = ["ProxyIdentityBackend"]
