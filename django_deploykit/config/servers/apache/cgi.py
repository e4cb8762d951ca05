"""The gateway CGI: Apache starts a script for every request (mod_cgid, or mod_cgi with prefork).

Manual: https://httpd.apache.org/docs/2.4/mod/mod_cgid.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.launcher import locale_variables
from django_deploykit.config.plan import Plan
from django_deploykit.config.scripts import cgi
from django_deploykit.config.servers.apache import protected, proxy
from django_deploykit.config.servers.apache.dialect import Version, grant
from django_deploykit.config.syntax.apache import regex
from django_deploykit.config.syntax.nodes import (
    Comment,
    Glob,
    Node,
    Raw,
    Substitution,
    block,
    directive,
)
from django_deploykit.exceptions import ChoiceError

# The first with CGIPassAuth.
_OLDEST = (2, 4, 13)

# How much longer than the script's own limit Apache waits for it.
GRACE = 15

hygiene = proxy.hygiene


def check(plan: Plan) -> None:
    """Refuse an httpd that is too old, and choices that belong to mod_wsgi."""
    version = Version.of(plan.deployment)
    if not version.at_least(*_OLDEST):
        oldest = ".".join(map(str, _OLDEST))
        raise ChoiceError(f"gateway {plan.gateway!r}: needs Apache {oldest}, not {version}.")
    if len(plan.sites) > 1 and plan.deployment.isolation == "interpreters":
        raise ChoiceError(
            f"gateway {plan.gateway!r}: each site has processes of its own; "
            "isolation='interpreters' is for gateway 'mod_wsgi'."
        )


def server_level(plan: Plan) -> list[Node]:
    """Nothing: every rule belongs to a host."""
    return []


def mount(plan: Plan, sites: tuple[SiteFacts, ...], own: Sequence[str]) -> list[Node]:
    """The rules that hand URLs to the scripts. ``own`` URLs have an Alias that comes before."""
    seconds = plan.deployment.request_timeout + GRACE
    why = "a script that says nothing for so long ends; it gives up by itself before"
    limit = directive("CGIDScriptTimeout", seconds, why=why, setting="request_timeout")
    return [
        *aliases(plan, sites, cgi.script),
        *handlers(plan, sites, cgi.script, "cgi-script"),
        block("IfModule", Raw("cgid_module"), children=[limit], why="mod_cgi has Timeout alone"),
    ]


def aliases(
    plan: Plan, sites: tuple[SiteFacts, ...], script: Callable[[Plan, SiteFacts], Path]
) -> list[Node]:
    """Which script a URL leads to, the longest prefix first."""
    ordered = sorted(sites, key=lambda site: (-len(site.prefix), not site.routes, site.name))
    return [_alias(site, str(script(plan, site))) for site in ordered]


def _alias(site: SiteFacts, script: str) -> Node:
    why = "hands these URLs to Django: what follows the script is PATH_INFO"
    if not site.routes:
        ends = "/" if not site.prefix else ""
        return directive(
            "Alias", site.prefix or "/", f"{script}{ends}", why=why, setting="WSGI_APPLICATION"
        )
    routes = "|".join(regex(route.strip("/")) for route in site.routes)
    return directive(
        "AliasMatch",
        f"^{regex(site.prefix)}(/(?:{routes})(?:/.*)?)$",
        Substitution((script, 1)),
        why=why,
        setting="DEPLOYKIT['SITE']['ROUTES']",
    )


def handlers(
    plan: Plan,
    sites: tuple[SiteFacts, ...],
    script: Callable[[Plan, SiteFacts], Path],
    handler: str,
) -> list[Node]:
    """Let the scripts, and nothing else of their directories, be run."""
    directories: dict[Path, list[Node]] = {}
    for site in sites:
        path = script(plan, site)
        directories.setdefault(path.parent, []).append(_handler(plan, site, path.name, handler))
    return [
        block(
            "Directory",
            Glob(str(directory)),
            children=[
                directive("AllowOverride", "None", why="no .htaccess is looked for"),
                directive("Options", "+ExecCGI", why="a script here may be run"),
                *files,
            ],
            why="where the scripts lie",
            setting="WSGI_APPLICATION",
        )
        for directory, files in sorted(directories.items())
    ]


def _handler(plan: Plan, site: SiteFacts, name: str, handler: str) -> Node:
    children = [
        *grant(Version.of(plan.deployment), "Apache asks before it runs it"),
        directive("SetHandler", handler, why="it is run, not sent"),
    ]
    if site.needs_authorization:
        why = "the project reads the Authorization header, which Apache otherwise keeps back"
        children.append(directive("CGIPassAuth", "On", why=why, setting="REST_FRAMEWORK"))
    return block("Files", Glob(name), children=children, why="only the script itself")


def request_environment(plan: Plan, sites: tuple[SiteFacts, ...]) -> list[Node]:
    """What a script needs of its process."""
    why = "any file name can be stored"
    return [
        Comment("The environment of each request's process, and with it request.META."),
        *(
            directive("SetEnv", name, value, why=why, setting="locale")
            for name, value in locale_variables(plan).items()
        ),
    ]


def site_variables(plan: Plan, site: SiteFacts) -> list[Node]:
    """Data for one application alone, under keys that no client can write."""
    why = "data for the application, in request.META"
    data = [
        directive("SetEnv", name, value, why=why, setting=f"DEPLOYKIT['SITE']['ENVIRON'][{name!r}]")
        for name, value in site.environ
    ]
    return [*data, *protected.sending(plan, site)]


def warnings(plan: Plan) -> list[str]:
    """Say that nobody else than Apache's user runs Django."""
    if not (plan.deployment.user or plan.deployment.group):
        return []
    return [f"gateway {plan.gateway!r}: processes run as Apache's own user; user and group do not."]


def modules(plan: Plan) -> set[str]:
    return {"cgid"}


def packages(plan: Plan) -> tuple[str, ...]:
    return ()
