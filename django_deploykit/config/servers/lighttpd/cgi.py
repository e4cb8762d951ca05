"""The gateway CGI: lighttpd starts a script for every request.

Manual: https://redmine.lighttpd.net/projects/lighttpd/wiki/Mod_cgi
"""

from __future__ import annotations

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.scripts.cgi import script
from django_deploykit.config.servers.lighttpd.dialect import array, pair
from django_deploykit.config.syntax.nodes import Node, directive


def backend(plan: Plan, site: SiteFacts) -> list[Node]:
    """Map every URL that comes here to the script, which is then run by the site's Python."""
    path, setting = str(script(plan, site)), "WSGI_APPLICATION"
    why = "hands these URLs to Django: what follows the script is PATH_INFO"
    mapped = pair(_url(site), f"{path}/", why=why, setting=setting)
    why = "by the Python of the site's environment, whatever the script's first line says"
    run = pair(path, str(plan.python(site)), why=why, setting="sys.prefix")
    why = "no header of Django's opens a file here"
    return [
        array("alias.url", [mapped], why, setting),
        array("cgi.assign", [run], why, setting),
        directive("cgi.x-sendfile", "disable", why=why),
    ]


def _url(site: SiteFacts) -> str:
    return f"{site.prefix}/"
