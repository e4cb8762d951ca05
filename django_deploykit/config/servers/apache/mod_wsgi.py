"""The gateway mod_wsgi: process groups, and where a site is mounted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django_deploykit import contract
from django_deploykit.config import limits
from django_deploykit.config.deployment import Version as Numbers
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.renderer import Plan
from django_deploykit.config.servers.apache import areas, protected
from django_deploykit.config.servers.apache.dialect import CONTINUED, Version, grant
from django_deploykit.config.syntax.apache import regex
from django_deploykit.config.syntax.nodes import (
    Comment,
    Glob,
    Node,
    Option,
    Raw,
    Substitution,
    block,
    directive,
)
from django_deploykit.exceptions import ChoiceError

# The oldest mod_wsgi that is still found in a supported distribution.
ASSUMED: Numbers = (4, 9)

# One process group for all sites, when they share processes as sub-interpreters.
SHARED_GROUP = "deploykit"


def check(plan: Plan) -> None:
    """Refuse sites that could not be told apart in the processes they share."""
    if plan.gateway == "mod_wsgi-embedded" and len(plan.sites) > 1:
        raise ChoiceError(
            "gateway 'mod_wsgi-embedded': several sites in one process would see each "
            "other's DJANGO_SETTINGS_MODULE and environment. Use gateway 'mod_wsgi'."
        )
    if not _shares_processes(plan):
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


def server_level(plan: Plan) -> list[Node]:
    """What stands outside of the virtual hosts: the module and the process groups."""
    nodes = _load_module(plan)
    if plan.gateway == "mod_wsgi-embedded":
        return [*nodes, *_embedded(plan)]
    remark = (
        "Outside of the hosts: ports 80 and 443 share the processes, and certbot can copy a host."
    )
    return [*nodes, *_authentication(plan), Comment(remark), *_process_groups(plan)]


def warnings(plan: Plan) -> list[str]:
    """What the gateway does not promise."""
    if not _shares_processes(plan):
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
    if _shares_processes(plan):
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


def _shares_processes(plan: Plan) -> bool:
    return len(plan.sites) > 1 and plan.deployment.isolation == "interpreters"


def _load_module(plan: Plan) -> list[Node]:
    module = plan.deployment.mod_wsgi_module
    if module is None:
        return []
    load = directive(
        "LoadModule",
        "wsgi_module",
        str(module),
        why="this mod_wsgi was built for the project's Python",
        setting="mod_wsgi_module",
    )
    why = "the distribution's own mod_wsgi must not be loaded beside it (a2dismod wsgi)"
    return [
        Comment("Instead of the distribution's mod_wsgi, which has to be off (a2dismod wsgi)."),
        block("IfModule", Raw("!wsgi_module"), children=[load], why=why),
    ]


def _python_home(plan: Plan, site: SiteFacts) -> str:
    return str(plan.deployment.python_home or site.interpreter.prefix)


def _home_of_children(plan: Plan, site: SiteFacts) -> Node:
    home = _python_home(plan, site)
    if not home.isascii():
        raise ChoiceError(
            f"{site.name}: the environment {home!r} has a letter that is not ASCII, and in "
            "Apache's own processes mod_wsgi would silently take another Python. Use gateway "
            "'mod_wsgi', and no AUTH_AREAS."
        )
    why = "the environment with the project's packages; only valid outside of hosts"
    return directive("WSGIPythonHome", home, setting="sys.prefix", why=why)


def _authentication(plan: Plan) -> list[Node]:
    """Hooks never run in a daemon process, where the environment is another matter."""
    sites = areas.guarded(plan)
    if not sites:
        return []
    remark = "Apache's own processes ask Django for users (AUTH_AREAS), and no daemon process does."
    return [Comment(remark), _home_of_children(plan, sites[0])]


def _embedded(plan: Plan) -> list[Node]:
    site = plan.sites[0]
    return [
        Comment("Python runs in Apache's own processes: server-wide, so outside of the hosts."),
        _home_of_children(plan, site),
        directive(
            "WSGIPythonPath",
            _python_path(site),
            setting="WSGI_APPLICATION",
            why="where the project's code is imported from",
        ),
    ]


def _process_groups(plan: Plan) -> list[Node]:
    if _shares_processes(plan):
        # No directory is on the path of them all: each script puts its own site's there.
        return [_process_group(plan, SHARED_GROUP, _environment_options(plan, plan.sites[0]))]
    nodes: list[Node] = []
    for site in plan.sites:
        for part in plan.with_pools(site):
            options = [*_code_options(site), *_environment_options(part, site)]
            nodes += [_process_group(part, part.name(site), options), *_loaded_at_start(part, site)]
    return nodes


def _loaded_at_start(plan: Plan, site: SiteFacts) -> list[Node]:
    """What the alias of a pool, which is a pattern, does not do by itself."""
    if not plan.pool:
        return []
    why = "the pool is loaded when the server starts, as its site is, and not by a first request"
    script, groups = str(plan.script(site)), _groups(plan, plan.name(site))
    return [directive("WSGIImportScript", script, *groups, why=why, setting=plan.pool.setting)]


def _process_group(plan: Plan, name: str, project: list[Option]) -> Node:
    return directive(
        "WSGIDaemonProcess",
        name,
        *_process_options(plan),
        CONTINUED,
        *project,
        CONTINUED,
        *_request_timeouts(plan),
        CONTINUED,
        *_process_timeouts(plan),
        setting="DEPLOYMENT, sys.prefix or the project's directory",
        why="processes of its own for the site, which survive errors in any other",
    )


def _process_options(plan: Plan) -> list[Option]:
    deployment = plan.deployment
    account = [("user", deployment.user), ("group", deployment.group)]
    return [
        *(Option(key, value) for key, value in account if value),
        Option("processes", deployment.processes),
        Option("threads", deployment.threads),
        Option("listen-backlog", limits.BACKLOG),
        Option("display-name", "%{GROUP}"),
    ]


def _code_options(site: SiteFacts) -> list[Option]:
    root = _python_path(site)
    return [Option("home", root), Option("python-path", root)]


def _python_path(site: SiteFacts) -> str:
    root = str(site.application.root)
    if ":" in root:
        raise ChoiceError(
            f"{site.name}: the code lies in {root!r}, and mod_wsgi takes ':' for the end of a "
            "directory in its Python path. Move the project."
        )
    return root


def _environment_options(plan: Plan, site: SiteFacts) -> list[Option]:
    """The virtual environment, and the locale that lets any file name be stored."""
    return [
        Option("python-home", _python_home(plan, site)),
        Option("lang", plan.deployment.locale),
        Option("locale", plan.deployment.locale),
    ]


def _request_timeouts(plan: Plan) -> list[Option]:
    """None has a default that fits; the application gives up before Apache does."""
    deployment = plan.deployment
    return [
        Option("connect-timeout", 15),
        Option("queue-timeout", limits.queue_timeout(deployment)),
        Option("request-timeout", limits.application_timeout(deployment)),
        Option("socket-timeout", limits.front_timeout(deployment)),
        Option("startup-timeout", 30),
    ]


def _process_timeouts(plan: Plan) -> list[Option]:
    options = [
        Option("deadlock-timeout", 60),
        Option("eviction-timeout", 30),
        Option("graceful-timeout", 15),
        # For requests that run when the script is touched; Apache itself waits three seconds.
        Option("shutdown-timeout", limits.reload_timeout(plan.deployment)),
    ]
    if (plan.deployment.mod_wsgi_version or ASSUMED) >= (6, 0):
        options.append(Option("interrupt-timeout", 15))
    return options


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
            *_groups(plan, site.name),
            setting=setting,
            why="hands these URLs to Django; both groups stand here, so that the site is loaded "
            "when the server starts",
        )
    urls = "|".join(regex(route.strip("/")) for route in routes)
    return directive(
        "WSGIScriptAliasMatch",
        f"^{regex(site.prefix)}(/(?:{urls})(?:/.*)?)$",
        Substitution((script, 1)),
        *_groups(plan, plan.name(site)),
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
        Option("process-group", SHARED_GROUP),
        Option("application-group", "%{RESOURCE}"),
        setting="DEPLOYKIT['SITES']",
        why="one rule for every site: the script is found by the first part of the URL, and each "
        "script has a sub-interpreter of its own",
    )


def _groups(plan: Plan, name: str) -> list[Option]:
    if plan.gateway == "mod_wsgi-embedded":
        name = "%{GLOBAL}"
    return [
        Option("process-group", name),
        Option("application-group", plan.deployment.application_group),
    ]


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
