"""A complete server configuration around an emitted site, to run or check it as anybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django_deploykit.config.access import group_name
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import Foreground, Rendered
from django_deploykit.config.servers.apache import areas, gateways, installed
from django_deploykit.config.servers.apache.addresses import left_to_distribution, listening
from django_deploykit.config.servers.apache.dialect import Version, dialect, refuse
from django_deploykit.config.syntax.nodes import Glob, Node, block, directive
from django_deploykit.config.syntax.printer import print_lines
from django_deploykit.exceptions import CannotRun

# What Debian compiles in and others load; each is loaded where it is a file.
_BASE_MODULES = ("mpm_event", "unixd", "log_config", "logio", "authz_core", "authz_host")
_WHY = "for this run only"


def foreground(plan: Plan, site: Rendered, directory: Path, user: str | None) -> Foreground:
    """Run ``site``, which lies in ``directory``, under a private configuration."""
    binary, modules = installed.binary(), installed.module_directory()
    if binary is None or modules is None:
        raise CannotRun("Apache is not installed here (Debian: apt-get install apache2).")
    _check_module(plan)
    nodes = [
        *_basics(directory, user),
        *_modules(plan, site, modules),
        *_listen(plan),
        *_no_python_in_children(plan),
        *_defaults(plan, directory),
        directive("Include", Glob(str(directory / site.filename)), why=_WHY, setting="TMPDIR"),
    ]
    text = "".join(f"{line.text}\n" for line in print_lines(nodes, dialect))
    command = (binary, "-f", str(directory / "httpd.conf"))
    return Foreground(
        files={"httpd.conf": text},
        command=(*command, "-DFOREGROUND"),
        check=(*command, "-t"),
        environment=_environment(plan),
    )


def _environment(plan: Plan) -> dict[str, str]:
    """What envvars would set: needed where Python runs in Apache's own children."""
    if plan.gateway != "mod_wsgi-embedded" and not areas.hooked(plan):
        return {}
    return dict.fromkeys(("LANG", "LC_ALL"), plan.deployment.locale)


def _check_module(plan: Plan) -> None:
    if not gateways.is_mod_wsgi(plan):
        return
    module = plan.deployment.mod_wsgi_module or installed.distribution_module()
    if module is None or not module.is_file():
        raise CannotRun(
            "mod_wsgi is not installed here. Install the distribution's "
            "(Debian: libapache2-mod-wsgi-py3) or the package index's (pip install mod_wsgi)."
        )
    if problem := _other_python(module, plan):
        raise CannotRun(problem)


def misfits(plan: Plan) -> tuple[str, ...]:
    """A warning of the mod_wsgi that is installed here, if it runs another Python; none if the
    plan is for that of another machine."""
    deployment = plan.deployment
    module = deployment.mod_wsgi_module or installed.distribution_module()
    if not gateways.is_mod_wsgi(plan) or deployment.python_home or module is None:
        return ()
    if installed.module_facts(module)[0] != deployment.mod_wsgi_version:
        return ()
    problem = _other_python(module, plan)
    return (problem,) if problem else ()


def _other_python(module: Path, plan: Plan) -> str:
    """What keeps a mod_wsgi.so from running some site; "" if nothing is known to."""
    built_for = installed.module_facts(module)[1]
    others = {site.interpreter.version for site in plan.sites} - {built_for}
    if not built_for or not others:
        return ""
    return (
        f"{str(module)!r} was built for Python {_dotted(built_for)}, but the project runs on "
        f"Python {_dotted(min(others))}. Run 'pip install mod_wsgi' in the project's environment, "
        f"or make the environment with Python {_dotted(built_for)}."
    )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _basics(directory: Path, user: str | None) -> Iterator[Node]:
    yield directive("ServerRoot", str(directory), why=_WHY)
    yield directive("ServerName", "localhost", why=_WHY)
    yield directive("DefaultRuntimeDir", str(directory), why=_WHY)
    yield directive("PidFile", str(directory / "httpd.pid"), why=_WHY)
    yield directive("ErrorLog", str(directory / "log" / "server-error.log"), why=_WHY)
    if user:
        yield directive("User", user, why="root drops to this user")
        yield directive("Group", group_name(user), why="root drops to this group")


def _modules(plan: Plan, site: Rendered, directory: Path) -> Iterator[Node]:
    names = [*_BASE_MODULES, *site.needs.modules]
    if not Version.of(plan.deployment).modern:
        names.append("access_compat")  # How 2.4 understands the access rules of 2.2.
    for name in dict.fromkeys(names):
        path = directory / f"mod_{name}.so"
        if path.is_file():
            yield directive("LoadModule", f"{name}_module", str(path), why=_WHY)


def _no_python_in_children(plan: Plan) -> Iterator[Node]:
    if plan.gateway == "mod_wsgi":
        why = "only the daemon runs Python; server-wide, so not for the site to say"
        yield directive("WSGIRestrictEmbedded", "On", why=why)


def _listen(plan: Plan) -> list[Node]:
    """Ports 80 and 443, which the site leaves to the distribution's configuration."""
    addresses = plan.deployment.listen
    if any(site.tls for site in plan.sites):
        addresses += plan.deployment.tls_listen
    return listening(left_to_distribution(addresses), _WHY)


def _defaults(plan: Plan, directory: Path) -> Iterator[Node]:
    """What a distribution's own configuration holds, and the site relies on."""
    types = Path("/etc/mime.types")
    if types.is_file():
        yield directive("TypesConfig", str(types), why=_WHY)
    if gateways.is_mod_wsgi(plan):
        yield directive("WSGISocketPrefix", "wsgi", why="beside the other files")
    if plan.gateway == "fcgid":
        yield directive("FcgidIPCDir", str(directory / "run"), why="beside the other files")
        table = str(directory / "run" / "fcgid.shm")
        yield directive("FcgidProcessTableFile", table, why="beside the other files")
    yield block(
        "Directory",
        Glob("/"),
        why="nothing is public unless the site says so",
        children=[
            *refuse(Version.of(plan.deployment), _WHY),
            directive("Options", "FollowSymLinks", why="as in Debian"),
            directive("AllowOverride", "None", why=_WHY),
        ],
    )
