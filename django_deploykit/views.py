"""The views that a project writes in its URLconf."""

from __future__ import annotations

from django_deploykit.identity.views import ProxyLogoutView
from django_deploykit.sendfile.views import (
    ProtectedFileView,
    ProtectedObjectFileView,
    ProtectedStorageFileView,
)

__all__ = [
    "ProtectedFileView",
    "ProtectedObjectFileView",
    "ProtectedStorageFileView",
    "ProxyLogoutView",
]
