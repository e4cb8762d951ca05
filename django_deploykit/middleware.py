"""Middleware: the doors through which Django meets what stands in front of it."""

from __future__ import annotations

from django_deploykit.sendfile.middleware import SendfileMiddleware

__all__ = ["SendfileMiddleware"]
