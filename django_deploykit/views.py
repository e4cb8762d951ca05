"""The views that a project writes in its URLconf."""

from __future__ import annotations

from django_deploykit.auth.views import AsyncAuthRequestView, AuthRequestView
from django_deploykit.identity.views import ProxyLogoutView

__all__ = ["AsyncAuthRequestView", "AuthRequestView", "ProxyLogoutView"]
