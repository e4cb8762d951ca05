"""Protected files: lighttpd sends what Django names, out of these directories and no others.

Manual: https://redmine.lighttpd.net/projects/lighttpd/wiki/X-LIGHTTPD-send-file
"""

from __future__ import annotations

from django_deploykit import contract
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.lighttpd.dialect import pair
from django_deploykit.config.syntax.lighttpd import LIST, VALUE
from django_deploykit.config.syntax.nodes import Node, block, directive

_SETTING = "DEPLOYKIT['SITE']['PROTECTED']"


def sends(plan: Plan, site: SiteFacts) -> bool:
    """Tell whether lighttpd sends this site's files. Of a CGI script it takes no such header: the
    process that runs for one request might as well send the file."""
    return bool(site.protected) and plan.gateway != "cgi"


def sending(site: SiteFacts) -> list[Node]:
    """Entries of the application server's own block; without directories any file would do."""
    if not site.protected:
        return []
    why = "Django decides who may read a protected file, lighttpd sends it"
    inside: list[Node] = [
        directive(VALUE, f"{str(mount.directory).rstrip('/')}/", why=why, setting=mount.setting)
        for mount in site.protected
    ]
    return [
        pair("x-sendfile", "enable", why=why, setting=_SETTING),
        block(LIST, "x-sendfile-docroot", children=inside, why="and no other file"),
    ]


def links(plan: Plan, site: SiteFacts) -> list[Node]:
    """No symbolic link leads out, nor does one that was made since Django looked."""
    if not sends(plan, site):
        return []
    why = "no symbolic link leads out of a protected directory"
    return [directive("server.follow-symlink", "disable", why=why, setting=_SETTING)]


def hidden(plan: Plan, site: SiteFacts) -> tuple[tuple[str, str, str, str], ...]:
    """lighttpd takes only its own header out of a response; that of others would show a path."""
    if not sends(plan, site):
        return ()
    why = "empty: no client learns where a file lies"
    return ((contract.ACCEL_HEADER, "", why, _SETTING),)
