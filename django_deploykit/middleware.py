"""Middleware: the doors through which Django meets what stands in front of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django_deploykit.proxy.middleware import TrustedProxyMiddleware
from django_deploykit.sendfile.middleware import SendfileMiddleware

if TYPE_CHECKING:
    from django_deploykit.identity.middleware import ProxyIdentityMiddleware

__all__ = ["ProxyIdentityMiddleware", "SendfileMiddleware", "TrustedProxyMiddleware"]


if not TYPE_CHECKING:  # A type checker would take any name for one that is here.

    def __getattr__(name: str) -> Any:
        """Import late what needs django.contrib.auth, which not every project has."""
        if name != "ProxyIdentityMiddleware":
            raise AttributeError(name)
        from django_deploykit.identity.middleware import ProxyIdentityMiddleware

        return ProxyIdentityMiddleware
