"""Middleware: the doors through which Django meets what stands in front of it."""

from __future__ import annotations

from django_deploykit.identity.middleware import ProxyIdentityMiddleware
from django_deploykit.proxy.middleware import TrustedProxyMiddleware

__all__ = ["ProxyIdentityMiddleware", "TrustedProxyMiddleware"]
