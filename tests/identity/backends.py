"""A backend of a project's own."""

from __future__ import annotations

from django_deploykit.backends import ProxyIdentityBackend


class Subclass(ProxyIdentityBackend):
    """Ours, with nothing changed."""
