"""What emitted scripts call before they hand out an application."""

from __future__ import annotations

from django_deploykit.handlers.startup import bootstrap

__all__ = ["bootstrap"]
