"""Apache's grammar as a dialect, and what depends on the version that reads it."""

from __future__ import annotations

from typing import cast

from django_deploykit.config.syntax import apache
from django_deploykit.config.syntax.nodes import Node, Raw, block, directive
from django_deploykit.config.syntax.printer import Dialect
from django_deploykit.config.versions import ServerVersion

dialect = cast(Dialect, apache)

# Between the arguments of a directive outside of every block: the next line goes on.
CONTINUED = Raw("\\\n   ")


class Version(ServerVersion):
    """A version of httpd, and what it can do."""

    ASSUMED = (2, 4)

    @property
    def modern(self) -> bool:
        """2.4: ``Require``, ``<If>``, ``IncludeOptional``; 2.2 has none of them."""
        return self.at_least(2, 4)

    @property
    def knows_header_conditions(self) -> bool:
        """``Header … "expr=…"``."""
        return self.at_least(2, 4, 10)


def grant(version: Version, why: str, setting: str = "") -> list[Node]:
    """Let everybody in, in the access rules of this version."""
    if version.modern:
        return [directive("Require", "all", "granted", why=why, setting=setting)]
    return _order("allow,deny", "Allow", why, setting)


def refuse(version: Version, why: str, setting: str = "") -> list[Node]:
    """Let nobody in, in the access rules of this version."""
    if version.modern:
        return [directive("Require", "all", "denied", why=why, setting=setting)]
    return _order("deny,allow", "Deny", why, setting)


def never_run(version: Version) -> list[Node]:
    """Send each file of a ``<Directory>`` as it is. A ``<FilesMatch>`` of the whole server would
    win over the directory (Debian's php.conf), and an ``<If>`` in that over ours (php-fpm.conf).

    https://httpd.apache.org/docs/2.4/sections.html#merging
    """
    why = "no file is run, whatever the server's own configuration says of its name"
    return [block("Files", Raw("*"), children=last_handler(version, why), why=why)]


def last_handler(version: Version, why: str) -> list[Node]:
    """In a ``<Files>`` of a ``<Directory>``: no other handler but the one that sends files."""
    handler = directive("SetHandler", "default-handler", why=why)
    return [block("If", "true", children=[handler], why=why)] if version.modern else [handler]


def _order(order: str, verb: str, why: str, setting: str) -> list[Node]:
    return [
        directive("Order", Raw(order), why=why, setting=setting),
        directive(verb, "from", "all", why=why, setting=setting),
    ]
