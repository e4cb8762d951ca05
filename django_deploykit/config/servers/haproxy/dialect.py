"""HAProxy's grammar as a dialect, what depends on the version that reads it, and shared names."""

from __future__ import annotations

from typing import cast

from django_deploykit.config.syntax import haproxy
from django_deploykit.config.syntax.printer import Dialect
from django_deploykit.config.versions import ServerVersion

dialect = cast(Dialect, haproxy)

# Before it, names of headers with an underscore cannot be kept back (http-restrict-req-hdr-names).
OLDEST = (2, 6)


class Version(ServerVersion):
    """A version of HAProxy."""

    ASSUMED = (2, 6)


def shared_name(name: str) -> str:
    """What a section is called, among those of all files."""
    return f"deploykit_{name}"


def frontend_name(name: str) -> str:
    """What the frontend of a file is called: as no backend is, since no name of a site has a dot.

    HAProxy 3.3 does not start where a frontend and a backend have one name; 3.1 and 3.2 warn.
    """
    return f"{shared_name(name)}.front"
