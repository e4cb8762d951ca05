"""What every front server has in common: sites that share their hosts, paths that stay on plain
HTTP, and the admin's static files."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from itertools import groupby

from django_deploykit.config.facts import Hosts, SiteFacts, Tls
from django_deploykit.config.renderer import Plan
from django_deploykit.exceptions import ChoiceError


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
    """Sort sites by their host names. Raise ChoiceError if their certificates differ."""
    ordered = sorted(sites, key=lambda site: site.hosts.names)
    found = []
    for _, same in groupby(ordered, key=lambda site: site.hosts.names):
        members = tuple(sorted(same, key=lambda site: site.name))
        if len({site.tls for site in members}) > 1:
            names = ", ".join(site.name for site in members)
            raise ChoiceError(f"{names}: sites with the same hosts need the same SITE['TLS'].")
        found.append(Group(members[0].hosts, members[0].tls, members))
    return found


def check_application(plan: Plan, site: SiteFacts) -> None:
    """Raise ChoiceError for a site that has nothing to be called by what runs Python here."""
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


def exempt_patterns(site: SiteFacts) -> list[str]:
    """Patterns for what follows the first slash of a path that stays on plain HTTP.

    Django searches SECURE_REDIRECT_EXEMPT in the whole path, prefix included, but for that slash
    (django/middleware/security.py). Raise ChoiceError for a pattern that cannot stand in another.
    """
    below = f"(?={re.escape(site.prefix.lstrip('/'))}/)" if site.prefix else ""
    return [f"{below}.*(?:{_behind_slash(pattern)})" for pattern in site.redirect_exempt]


def _behind_slash(pattern: str) -> str:
    """The pattern, whose circumflexes outside of brackets now mean: right behind the slash."""
    if re.compile(pattern).flags & re.VERBOSE:
        raise ChoiceError(
            f"SECURE_REDIRECT_EXEMPT: {pattern!r} is a verbose pattern, and a comment in it would "
            "swallow what follows. Write it without (?x)."
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
