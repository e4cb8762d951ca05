"""Read a project's settings, URLconf, storages and interpreter into facts, once.

This package is the only part of the generator that knows Django. It never raises for what a
setting says: every fault becomes a finding, so that all of them can be reported together.
"""

from __future__ import annotations

from django_deploykit.config.introspect.project import (
    DEPLOYMENT,
    Introspection,
    introspect,
    require,
)
from django_deploykit.config.introspect.sites import introspect_sites

__all__ = ["DEPLOYMENT", "Introspection", "introspect", "introspect_sites", "require"]
