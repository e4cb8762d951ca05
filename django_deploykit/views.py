"""Views that projects use."""

from __future__ import annotations

from django_deploykit.sendfile.views import (
    ProtectedFileView,
    ProtectedObjectFileView,
    ProtectedStorageFileView,
)

__all__ = ["ProtectedFileView", "ProtectedObjectFileView", "ProtectedStorageFileView"]
