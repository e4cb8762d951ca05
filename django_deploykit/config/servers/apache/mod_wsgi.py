"""The gateway mod_wsgi: where a site is mounted, and what its requests are told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django_deploykit import contract
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache import processes, protected
from django_deploykit.config.servers.apache.dialect import Version, grant
from django_deploykit.config.syntax.apache import regex
from django_deploykit.config.syntax.nodes import (
    Comment,
    Glob,
    Node,
    Option,
    Substitution,
    block,
    directive,
)
from django_deploykit.exceptions import ChoiceError

# What stands outside of the virtual hosts.
server_level = processes.server_level


def check(plan: Plan) -> None:
    """Refuse sites that could not be told apart in the processes they share."""
    if plan.gateway == "mod_wsgi-embedded" and len(plan.sites) > 1:
        raise ChoiceError(
            "gateway 'mod_wsgi-embedded': several sites in one process would see each "
            "other's DJANGO_SETTINGS_MODULE and environment. Use gateway 'mod_wsgi'."
        )
    if not processes.shares_processes(plan):
        return
    if not plan.deployment.python_home and len({site.interpreter for site in plan.sites}) > 1:
        raise ChoiceError(
            "isolation='interpreters': the sites have virtual environments of their own, but "
            "shared processes have one. Use isolation='processes', or set python_home."
        )
    for site in plan.sites:
        if site.pools:
            raise ChoiceError(
                f"isolation='interpreters': {site.name!r} has POOLS, and would share their "
                "processes with no other site. Use isolation='processes'."
            )
        if site.application.env_file:
            raise ChoiceError(
                f"isolation='interpreters': {site.name!r} reads an environment file, and the "
                "environment belongs to the whole process: every site would see its secrets. "
                "Use isolation='processes'."
            )
        if site.prefix != f"/{site.name}":
            raise ChoiceError(
                f"isolation='interpreters': the site {site.name!r} must have the prefix "
                f"'/{site.name}', not {site.prefix!r}, because one rule finds every script by "
                "the first part of the URL."
            )


def warnings(plan: Plan) -> list[str]:
    """What the gateway does not promise."""
    if not processes.shares_processes(plan):
        return []
    return [
        "isolation='interpreters': some C extensions (numpy, for one) do not work in "
        "sub-interpreters; isolation='processes' has no such limit."
    ]


def modules(plan: Plan) -> set[str]:
    # A module that is not the distribution's is loaded by the site itself.
    return set() if plan.deployment.mod_wsgi_module else {"wsgi"}


def packages(plan: Plan) -> tuple[str, ...]:
    return () if plan.deployment.mod_wsgi_module else ("libapache2-mod-wsgi-py3",)


def hygiene(plan: Plan, sites: tuple[SiteFacts, ...]) -> list[Node]:
    """Take away what only a proxy may say."""
    why = "a client could claim another address, scheme, prefix or identity with it"
    return [
        Comment(
            "Only a proxy may say these things, and this server is the edge.\n"
            "(Spellings with an underscore never reach Django: mod_wsgi drops them.)"
        ),
        *(
            directive("RequestHeader", "unset", name, "early", why=why)
            for name in contract.CLIENT_FORBIDDEN_HEADERS
        ),
    ]


def mount(plan: Plan, sites: tuple[SiteFacts, ...], own: Sequence[str]) -> list[Node]:
    """The rules that hand URLs to the sites of one host, longest prefix first.

    What the server answers itself needs no word here: mod_alias is asked before mod_wsgi.
    """
    if processes.shares_processes(plan):
        return [_shared_mount(plan, sites), *_grants(plan, sites)]
    ordered = sorted(sites, key=lambda site: (-len(site.prefix), not site.routes, site.name))
    mounts = [
        _site_mount(part, site) for site in ordered for part in reversed(plan.with_pools(site))
    ]
    return [*mounts, *_grants(plan, sites)]


def request_environment(plan: Plan, sites: tuple[SiteFacts, ...]) -> list[Node]:
    """What every site of a host is told."""
    return [
        *_chunked_bodies(plan, sites),
        Comment("For request.META: no request header can carry these names."),
        *_stack_variable(plan),
    ]


def _stack_variable(plan: Plan) -> list[Node]:
    """The name of this stack, for the runtime."""
    why = "tells the runtime which stack it is in; no request can carry this name"
    return [directive("SetEnv", contract.STACK_KEY, plan.label, why=why)]


def _chunked_bodies(plan: Plan, sites: tuple[SiteFacts, ...]) -> list[Node]:
    """Let bodies without a length in, where the emitted script can measure them for Django."""
    if not all(plan.uses_emitted_script(site) for site in sites):
        return []
    why = "the script measures a body without a length, which Django would take for an empty one"
    return [directive("WSGIChunkedRequest", "On", why=why)]


def site_variables(plan: Plan, site: SiteFacts) -> list[Node]:
    """Data for one application alone, under keys that no client can write."""
    extra = [
        directive(
            "SetEnv",
            name,
            value,
            why="data for the application, in request.META",
            setting=f"DEPLOYKIT['SITE']['ENVIRON'][{name!r}]",
        )
        for name, value in site.environ
    ]
    return [*extra, *_authorization(site), *protected.sending(plan, site)]


def _authorization(site: SiteFacts) -> list[Node]:
    if not site.needs_authorization:
        return []
    why = "the project reads the Authorization header, which mod_wsgi otherwise keeps back"
    return [directive("WSGIPassAuthorization", "On", why=why, setting="REST_FRAMEWORK")]


def _site_mount(plan: Plan, site: SiteFacts) -> Node:
    script, setting = str(plan.script(site)), "WSGI_APPLICATION"
    routes, whose = site.routes, "DEPLOYKIT['SITE']['ROUTES']"
    if plan.pool:
        routes, whose = (plan.pool.url.removeprefix(site.prefix),), plan.pool.setting
    if not routes:
        return directive(
            "WSGIScriptAlias",
            site.prefix or "/",
            script,
            *processes.groups(plan, site.name),
            setting=setting,
            why="hands these URLs to Django; both groups stand here, so that the site is loaded "
            "when the server starts",
        )
    urls = "|".join(regex(route.strip("/")) for route in routes)
    return directive(
        "WSGIScriptAliasMatch",
        f"^{regex(site.prefix)}(/(?:{urls})(?:/.*)?)$",
        Substitution((script, 1)),
        *processes.groups(plan, plan.name(site)),
        setting=whose,
        why="hands only these URLs to Django; the matched part stays behind the script, so that "
        "SCRIPT_NAME and PATH_INFO are right",
    )


def _shared_mount(plan: Plan, sites: tuple[SiteFacts, ...]) -> Node:
    names = "|".join(regex(site.name) for site in sorted(sites, key=lambda site: site.name))
    directory = str(plan.script(sites[0]).parent)
    return directive(
        "WSGIScriptAliasMatch",
        f"^/({names})(/.*)?$",
        Substitution((f"{directory}/", 1, "_wsgi.py", 2)),
        Option("process-group", processes.SHARED_GROUP),
        Option("application-group", "%{RESOURCE}"),
        setting="DEPLOYKIT['SITES']",
        why="one rule for every site: the script is found by the first part of the URL, and each "
        "script has a sub-interpreter of its own",
    )


def _grants(plan: Plan, sites: tuple[SiteFacts, ...]) -> list[Node]:
    """Let the scripts, and nothing else of their directories, be reached."""
    version = Version.of(plan.deployment)
    directories: dict[Path, list[str]] = {}
    for site in sites:
        script = plan.script(site)
        directories.setdefault(script.parent, []).append(script.name)
    nodes: list[Node] = []
    for directory, names in sorted(directories.items()):
        files: list[Node] = [
            block(
                "Files",
                Glob(name),
                children=grant(version, "Apache asks before it runs it"),
                why="only the script itself",
                setting="WSGI_APPLICATION",
            )
            for name in sorted(names)
        ]
        why = "the directory of the WSGI script"
        where = Glob(str(directory))
        nodes.append(block("Directory", where, children=files, why=why, setting="WSGI_APPLICATION"))
    return nodes
