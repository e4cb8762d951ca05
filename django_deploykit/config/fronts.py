"""What every front server has in common: sites that share their hosts, what is refused or worth a
warning, paths that stay on plain HTTP, headers of files, and the admin's static files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from django_deploykit.config.facts import Hosts, Mount, SecurityHeaders, SiteFacts, Tls
from django_deploykit.config.plan import Plan
from django_deploykit.config.values import Backend
from django_deploykit.exceptions import ChoiceError

# Django's hashed names: twelve hexadecimal digits of MD5 before the last extension
# (django.contrib.staticfiles.storage.HashedFilesMixin); a compressed twin adds one more.
HASHED = r"\.[0-9a-f]{12}(?:\.[^./]+)?(?:\.(?:br|gz))?$"
# A flag that PCRE2 (10.42) takes for a mistake: nginx does not start with it.
_PYTHON_ALONE = re.compile(r"(?<!\\)\(\?[imsx]*[auL]")
# Why no front keeps a connection to an application server.
IDLE = "one that idles holds a worker, or brings its requests to one alone"


@dataclass(frozen=True)
class Group:
    """Sites that answer under the same names, and so share their virtual hosts."""

    hosts: Hosts
    tls: Tls | None
    sites: tuple[SiteFacts, ...]

    @property
    def name(self) -> str:
        return self.sites[0].name


def groups(sites: tuple[SiteFacts, ...]) -> list[Group]:
    """Sort sites by their host names. Raise ChoiceError if what holds for a host differs."""
    ordered = sorted(sites, key=lambda site: site.hosts.names)
    found = []
    for _, same in groupby(ordered, key=lambda site: site.hosts.names):
        members = tuple(sorted(same, key=lambda site: site.name))
        if len({site.tls for site in members}) > 1:
            names = ", ".join(site.name for site in members)
            raise ChoiceError(f"{names}: sites with the same hosts need the same SITE['TLS'].")
        _check_hsts(members)
        found.append(Group(members[0].hosts, members[0].tls, members))
    return found


def _check_hsts(members: tuple[SiteFacts, ...]) -> None:
    """A browser keeps one such header for a host, whichever site has sent it."""
    values = {site.name: site.headers.hsts for site in members if site.headers.hsts}
    if len(set(values.values())) > 1:
        said = ", ".join(f"{name!r} has {value!r}" for name, value in values.items())
        raise ChoiceError(
            f"SECURE_HSTS_SECONDS: {said}. Sites with the same hosts need the same SECURE_HSTS_*: "
            "a browser keeps one for the whole host."
        )


def file_name(plan: Plan) -> str:
    """The name of the emitted file, without its ending; it tells the file's names apart."""
    return plan.sites[0].name if len(plan.sites) == 1 else "sites"


def site_names(plan: Plan) -> str:
    """The sites, for the first line of the emitted file."""
    return ", ".join(site.name for site in plan.sites)


def check_applications(plan: Plan) -> None:
    """Raise ChoiceError for a site that has nothing to be called by what runs Python here."""
    for site in plan.sites:
        if plan.interface == "wsgi" and site.application.wsgi is None:
            raise ChoiceError(
                f"{site.name}: WSGI_APPLICATION is unset, and gateway {plan.gateway!r} is for WSGI "
                "applications here. Use --gateway http with an ASGI server: --app-server uvicorn."
            )


def without_websockets(plan: Plan) -> list[str]:
    """One warning for each site whose websockets do not get through this stack."""
    return [
        f"{site.name}: its websockets ({', '.join(site.websockets)}) do not get through: they need "
        "an ASGI server behind HTTP (--gateway http --app-server uvicorn)."
        for site in plan.sites
        if site.websockets and not plan.websockets(site)
    ]


def without_tls(plan: Plan) -> list[str]:
    """One warning for each site whose areas are asked for in clear text."""
    return [
        f"{site.areas[0].setting}: who enters sends a password, or a session, over plain HTTP, "
        "unless a proxy in front of this server speaks HTTPS. Give DEPLOYKIT['SITE']['TLS']."
        for site in plan.sites
        if site.areas and site.tls is None
    ]


def check_sockets(plan: Plan) -> None:
    """Raise ChoiceError where several sites or pools would share an application server's socket."""
    sockets = [part.socket(site) for part in plan.each() for site in part.sites]
    if len(set(sockets)) < len(sockets):
        shared = next(str(one) for one in sockets if sockets.count(one) > 1)
        raise ChoiceError(
            f"socket: several sites or pools cannot share {shared!r}. Leave it out, and each has "
            "its own."
        )
    if plan.deployment.backends and len(plan.sites) > 1:
        raise ChoiceError(
            "backends: an application server serves one site, not SITES. Write one file for each "
            "(--settings); with HAProxy, each with a listen of its own; with lighttpd, each for "
            "a lighttpd of its own."
        )


def routes(plan: Plan, site: SiteFacts) -> list[tuple[int, Backend]]:
    """Which application servers clients are bound to, each by its number in ``backends``. A backup
    binds nobody: its clients go back as soon as another one answers."""
    numbered = enumerate(plan.backends(site), start=1)
    bound = [pair for pair in numbered if pair[1].serves or pair[1].role == "drain"]
    return bound if plan.sticks else []


def route_attributes(site: SiteFacts) -> str:
    """What stands behind the value of the cookie that binds a client: for no script, no other
    site, and no other part of the host. It lasts as long as the browser runs."""
    secure = "; Secure" if site.tls else ""
    return f"Path={site.prefix or '/'}; HttpOnly; SameSite=Lax{secure}"


def files_root(plan: Plan, site: SiteFacts) -> Path:
    """The directory in which every static file lies at the path of its URL, for a front that looks
    for a file at any URL. Raise ChoiceError where there is none, or where it holds more."""
    problem = "there are no static files to look for"
    if site.routes or site.documents:
        problem = "SITE['ROUTES'] and SITE['DOCUMENTS'] already say which URLs are files"
    elif site.pools:
        problem = "SITE['POOLS'] says which processes answer a URL, and nobody looks for a file"
    elif mounts := plan.static_mounts(site):
        root = _above(mounts[0])
        problem = _layout_problem(mounts) or _private_problem(plan, site, root)
        if not problem:
            return root
    raise ChoiceError(f"{site.name}: static_lookup='file' is not possible: {problem}.")


def _above(mount: Mount) -> Path:
    """The directory that lies as far above a mount's as the root lies above its URL."""
    return Path(*mount.directory.parts[: -mount.url.count("/") + 1])


def _layout_problem(mounts: tuple[Mount, ...]) -> str:
    root = _above(mounts[0])
    for mount in mounts:
        if root == Path("/") or root / mount.url.strip("/") != mount.directory:
            return (
                f"{mount.setting} {str(mount.directory)!r} would have to end in {mount.url!r}, "
                "below one directory for all static files"
            )
    return ""


def _private_problem(plan: Plan, site: SiteFacts, root: Path) -> str:
    """What would be public that is not: all that a URL below the prefix of ``site`` reaches."""
    reached = root / site.prefix.strip("/")
    found = [
        f"{what} ({str(path)!r})"
        for other in plan.sites
        for what, path in _private(plan, other, root if other.hosts == site.hosts else None)
        if path.is_relative_to(reached)
    ]
    return f"{str(reached)!r} holds {', '.join(dict.fromkeys(found))}" if found else ""


def _private(plan: Plan, site: SiteFacts, root: Path | None) -> list[tuple[str, Path]]:
    """What no lookup of files may reach; uploads are safe where their own URL comes first."""
    home = plan.deployment.python_home or site.interpreter.prefix
    code = site.application.root, *site.application.elsewhere
    found = [("the application's code", path) for path in code]
    found.append(("the interpreter", home))
    found += [("protected files", mount.directory) for mount in site.protected]
    found += [("guarded files", area.directory) for area in site.areas if area.directory]
    found += [("the database", path) for path in site.databases]
    found += [("a cache", path) for path in site.caches]
    found += _written(plan, site)
    if site.closed_uploads:
        found.append(("uploaded files that are not public", site.closed_uploads))
    if site.application.env_file:
        found.append(("the environment file", site.application.env_file))
    if site.tls:
        found.append(("the key of the certificate", site.tls.key))
    if site.media and (root is None or site.media.directory != root / site.media.url.strip("/")):
        found.append(("uploaded files, which have a URL of their own", site.media.directory))
    return found


def _written(plan: Plan, site: SiteFacts) -> list[tuple[str, Path]]:
    """Logs, and uploads on their way; those among uploads that are there already are as safe."""
    uploads, logs = site.media and site.media.directory, plan.deployment.log_directory
    found = [
        (f"what {setting} has written", path)
        for setting, path in site.writes
        if not (uploads and path.is_relative_to(uploads))
    ]
    return [*found, *([("the server's logs", logs)] if logs else [])]


# Why each of these headers is there.
AS_DJANGO = "as SecurityMiddleware does for Django's own responses"


def security_headers(headers: SecurityHeaders) -> list[tuple[str, str, str]]:
    """Django's own headers, for responses that Django never sees: name, value, setting."""
    wanted = (
        ("X-Content-Type-Options", "nosniff" if headers.nosniff else None, "CONTENT_TYPE_NOSNIFF"),
        ("Referrer-Policy", headers.referrer_policy, "REFERRER_POLICY"),
        ("Cross-Origin-Opener-Policy", headers.opener_policy, "CROSS_ORIGIN_OPENER_POLICY"),
    )
    return [(name, value, f"SECURE_{setting}") for name, value, setting in wanted if value]


def exempt_patterns(site: SiteFacts, group: Group) -> list[str]:
    """Patterns for what follows the first slash of a path that stays on plain HTTP.

    Django searches SECURE_REDIRECT_EXEMPT in the whole path, prefix included, but for that slash
    (django/middleware/security.py). What other sites of the group answer below this one is not
    its own. Raise ChoiceError for a pattern that cannot stand in another.
    """
    below = f"(?={_either(site.mounts)}/)" if any(site.mounts) else ""
    others = {url for other in group.sites if other is not site for url in other.mounts}
    nested = sorted(url for url in others if any(url.startswith(f"{up}/") for up in site.mounts))
    but = f"(?!{_either(nested)}(?:/|$))" if nested else ""
    return [f"{below}{but}.*(?:{_behind_slash(pattern)})" for pattern in site.redirect_exempt]


def _either(urls: Sequence[str]) -> str:
    found = "|".join(re.escape(url.lstrip("/")) for url in urls)
    return f"(?:{found})" if len(urls) > 1 else found


def _behind_slash(pattern: str) -> str:
    """The pattern, whose circumflexes outside of brackets now mean: right behind the slash."""
    if re.compile(pattern).flags & re.VERBOSE:
        raise ChoiceError(
            f"SECURE_REDIRECT_EXEMPT: {pattern!r} is a verbose pattern, and a comment in it would "
            "swallow what follows. Write it without (?x)."
        )
    if _PYTHON_ALONE.search(pattern):
        raise ChoiceError(
            f"SECURE_REDIRECT_EXEMPT: {pattern!r} has a flag that only Python knows. Write it "
            "without a, u and L."
        )
    return re.sub(r"(\\.|\[\^?\]?(?:\\.|[^\]\\])*\])|\^", lambda m: m[1] or r"(?<=\A/)", pattern)


def admin_steps(plan: Plan, site: SiteFacts) -> list[str]:
    """The shell command that puts the admin's files into STATIC_ROOT, where that was chosen."""
    admin, choice = site.admin_static, plan.deployment.admin_static
    if not (site.static and admin and choice in ("copy", "symlink")):
        return []
    verb = "ln -s" if choice == "symlink" else "cp -R"
    target = site.static.mounts[0].directory / "admin"
    return [f"{verb} {shlex.quote(str(admin.directory))} {shlex.quote(str(target))}"]
