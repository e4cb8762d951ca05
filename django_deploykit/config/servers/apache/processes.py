"""mod_wsgi's processes: the module, the environment of Python, the process groups."""

from __future__ import annotations

from django_deploykit.config import limits
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache import areas
from django_deploykit.config.servers.apache.dialect import CONTINUED
from django_deploykit.config.syntax.nodes import (
    Comment,
    Node,
    Option,
    Raw,
    block,
    directive,
)
from django_deploykit.config.values import Version as Numbers
from django_deploykit.exceptions import ChoiceError

# The oldest mod_wsgi that is still found in a supported distribution.
ASSUMED: Numbers = (4, 9)

# Interpreters that are only known once there is a request.
_OF_A_REQUEST = ("%{SERVER}", "%{HOST}", "%{RESOURCE}")

# One process group for all sites, when they share processes as sub-interpreters.
SHARED_GROUP = "deploykit"


def server_level(plan: Plan) -> list[Node]:
    """What stands outside of the virtual hosts: the module and the process groups."""
    nodes = _load_module(plan)
    if plan.gateway == "mod_wsgi-embedded":
        return [*nodes, *_embedded(plan)]
    remark = (
        "Outside of the hosts: ports 80 and 443 share the processes, and certbot can copy a host."
    )
    return [*nodes, *_authentication(plan), Comment(remark), *_process_groups(plan)]


def shares_processes(plan: Plan) -> bool:
    """Tell whether all sites are sub-interpreters of the same processes."""
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
    if shares_processes(plan):
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
    if not plan.pool or plan.deployment.application_group in _OF_A_REQUEST:
        return []
    why = "the pool is loaded when the server starts, as its site is, and not by a first request"
    script, where = str(plan.script(site)), groups(plan, plan.name(site))
    return [directive("WSGIImportScript", script, *where, why=why, setting=plan.pool.setting)]


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


def groups(plan: Plan, name: str) -> list[Option]:
    """Where requests are answered: the processes, and the interpreter in them."""
    if plan.gateway == "mod_wsgi-embedded":
        name = "%{GLOBAL}"
    return [
        Option("process-group", name),
        Option("application-group", plan.deployment.application_group),
    ]
