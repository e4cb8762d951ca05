"""Areas for those alone whom Django lets in: by mod_wsgi's authentication hooks, or an authorizer.

Manuals: https://httpd.apache.org/docs/2.4/howto/auth.html and
https://modwsgi.readthedocs.io/en/latest/user-guides/access-control-mechanisms.html.
"""

from __future__ import annotations

from collections.abc import Iterable

from django_deploykit import contract
from django_deploykit.config.facts import Area, Mount, SiteFacts
from django_deploykit.config.fronts import Group, groups
from django_deploykit.config.plan import Plan
from django_deploykit.config.renderer import SCRIPT, Access
from django_deploykit.config.scripts import apache_auth
from django_deploykit.config.servers.apache import asking, content
from django_deploykit.config.servers.apache.dialect import Version
from django_deploykit.config.syntax.nodes import (
    Comment,
    Glob,
    Node,
    Option,
    Raw,
    block,
    directive,
)
from django_deploykit.exceptions import ChoiceError

_MODULES = {"auth_basic", "authn_core", "authz_user"}


def guarded(plan: Plan) -> list[SiteFacts]:
    """The sites with areas."""
    return [site for site in plan.sites if site.areas]


def hooked(plan: Plan) -> list[SiteFacts]:
    """Those about which Apache's own processes ask Django: mod_wsgi runs a script in them."""
    return [] if plan.asking() else guarded(plan)


def modules(plan: Plan) -> set[str]:
    """What areas need, by the server's own names."""
    if plan.asking():
        return asking.MODULES
    return _MODULES if guarded(plan) else set()


def check(plan: Plan) -> None:
    """Raise ChoiceError for areas that Apache could not guard."""
    sites = guarded(plan)
    if sites and not Version.of(plan.deployment).modern:
        where = sites[0].areas[0].setting
        raise ChoiceError(f"{where}: Apache 2.2 has no <RequireAll>. Use Apache 2.4.")
    asking.check(plan)
    if len(hooked(plan)) > 1:
        _check_one_process(sites)
    for group in groups(plan.sites):
        _check_neighbours(group)


def _check_one_process(sites: list[SiteFacts]) -> None:
    """The scripts of several sites run beside one another in every process of Apache."""
    names = ", ".join(site.name for site in sites)
    if len({site.interpreter for site in sites}) > 1:
        raise ChoiceError(
            f"AUTH_AREAS of {names}: Apache's own processes have one virtual environment, and "
            "these sites have several. Give them one, or leave all but one without areas."
        )
    for site in sites:
        if site.application.env_file:
            raise ChoiceError(
                f"AUTH_AREAS of {names}: {site.name!r} reads an environment file, and in Apache's "
                "own processes the other sites would see its secrets. Leave all but one without "
                "areas."
            )


def _check_neighbours(group: Group) -> None:
    """Raise ChoiceError for an area in which another site of the same names lies."""
    for site in group.sites:
        for other in group.sites:
            for area in site.areas if other is not site else ():
                if f"{other.prefix}/".startswith(area.url):
                    raise ChoiceError(
                        f"{area.setting}: the site {other.name!r} lies in this area of "
                        f"{site.name!r}, whose users are others. Choose a URL below the site."
                    )


def files(plan: Plan, site: SiteFacts) -> list[Node]:
    """The directories of areas."""
    nodes: list[Node] = []
    for area in site.areas:
        if area.directory:
            mount = Mount(url=area.url, directory=area.directory, setting=area.setting)
            nodes += [
                Comment(f"The files of the area {area.url}"),
                *content.guarded(plan, site, mount),
            ]
    return nodes


def guards(plan: Plan, sites: Iterable[SiteFacts]) -> list[Node]:
    """What each area asks for, whoever answers there: files, Django, or your own directives."""
    nodes: list[Node] = []
    for site in sites:
        for area in site.areas:
            # Without the slash at its end it holds for that URL too.
            where = Glob(area.url.rstrip("/") or "/")
            inside, why = _rules(plan, site, area), "this URL, and all below it, in any spelling"
            nodes += [
                Comment(f"Only for those for whom the policy {area.policy!r} holds: {area.url}"),
                block("Location", where, children=inside, why=why, setting=area.setting),
            ]
    return nodes


def access(plan: Plan) -> list[Access]:
    """What the processes of Apache read besides."""
    scripts = [plan.emitted(site, apache_auth.file_name(site)) for site in hooked(plan)]
    return [Access(script, SCRIPT) for script in scripts]


def warnings(plan: Plan) -> list[str]:
    """What an operator has to know of areas."""
    return [
        f"{site.areas[0].setting}: Apache's own processes ask for users; so not only "
        f"{plan.deployment.user!r} but Apache's user too has to read the project and its database."
        for site in hooked(plan)
        if plan.deployment.user
    ]


def _rules(plan: Plan, site: SiteFacts, area: Area) -> list[Node]:
    if site.name in plan.authorizers:
        return asking.rules(site, area)
    setting = area.setting
    return [
        directive("AuthType", Raw("Basic"), why="a name and a password", setting=setting),
        directive("AuthName", site.name, why="one prompt for all areas of a site"),
        directive("AuthBasicProvider", Raw("wsgi"), why="mod_wsgi asks Django, and nobody else"),
        _hook(plan, site, "WSGIAuthUserScript", "is this the password of a user?"),
        *_policy(plan, site, area),
    ]


def _policy(plan: Plan, site: SiteFacts, area: Area) -> list[Node]:
    """All of it has to hold: of several ``Require`` beside one another, one would be enough."""
    valid = directive("Require", Raw("valid-user"), why="nobody without the right password")
    if area.policy == "active":
        return [_all_of([valid], area)]
    name = f"{contract.POLICY_GROUP_PREFIX}{area.policy}"
    why = "the policy, which mod_wsgi knows as a group"
    group = directive("Require", Raw("wsgi-group"), name, why=why, setting=area.setting)
    forbidden = "no new prompt for who has given the right password, but 403"
    return [
        _hook(plan, site, "WSGIAuthGroupScript", "for which policies does it hold?"),
        directive("AuthzSendForbiddenOnFailure", Raw("On"), why=forbidden),
        _all_of([valid, group], area),
    ]


def _all_of(children: list[Node], area: Area) -> Node:
    why = "all of these, in place of any other access rule for this URL"
    return block("RequireAll", children=children, why=why, setting=area.setting)


def _hook(plan: Plan, site: SiteFacts, name: str, why: str) -> Node:
    script = str(plan.emitted(site, apache_auth.file_name(site)))
    # Extensions in C work best in the main interpreter; two sites cannot share it.
    group = "%{GLOBAL}" if len(guarded(plan)) == 1 else site.name
    return directive(
        name, script, Option("application-group", group), why=why, setting="AUTH_AREAS"
    )
