"""Areas for those alone whom Django lets in: lighttpd asks an authorizer for each request.

Manual: https://redmine.lighttpd.net/projects/lighttpd/wiki/Mod_fastcgi ("mode").

Files alone are guarded. Where something else answers a URL (mod_proxy, say), whichever module was
loaded first takes the request; and the server's own configuration may have loaded that one.
"""

from __future__ import annotations

from pathlib import Path

from django_deploykit import contract
from django_deploykit.config.facts import Area, Mount, SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.lighttpd import backends, content, gateway
from django_deploykit.config.servers.lighttpd.dialect import URL, array, pair, when
from django_deploykit.config.syntax.lighttpd import PAIR, regex
from django_deploykit.config.syntax.nodes import Block, Node, Raw, block, directive
from django_deploykit.exceptions import ChoiceError

MODULE = "mod_fastcgi"
_CLEANED = "a policy may look at scheme, host and address, of which a client has no say"


def check(plan: Plan) -> None:
    """Raise ChoiceError for an area that lighttpd could not guard."""
    for site in plan.sites:
        for area in site.areas:
            if area.directory is None:
                raise ChoiceError(
                    f"{area.setting}: lighttpd guards files alone: add a 'DIRECTORY'. What Django "
                    "answers is guarded in its views (login_required, permission_required)."
                )


def blocks(plan: Plan, site: SiteFacts, secure: bool) -> list[Block]:
    """The files of each area, with the question that comes before them."""
    return [
        one
        for area in site.areas
        if area.directory
        for one in _area(plan, site, area, area.directory, secure)
    ]


def _area(
    plan: Plan, site: SiteFacts, area: Area, directory: Path, secure: bool
) -> tuple[Block, ...]:
    mount = Mount(url=area.url, directory=directory, setting=area.setting)
    why = f"only for those for whom the policy {area.policy!r} holds"
    children = [
        *content.guarded(plan, site, mount, secure),
        directive("setenv.set-request-header", Raw(gateway.CLEANED), why=_CLEANED),
        array("setenv.set-environment", _told(site, area), "said to the authorizer"),
        array("fastcgi.server", [_authorizer(plan, site)], why, area.setting),
    ]
    files = when(URL, f"^{regex(area.url)}", children, why, area.setting)
    return (content.hidden(mount), files)


def _told(site: SiteFacts, area: Area) -> list[Node]:
    return [
        pair(contract.AUTH_POLICY_KEY, area.policy, why="who may pass", setting=area.setting),
        pair(contract.SITE_KEY, site.name, why="whose users are asked about", setting=area.setting),
    ]


def _authorizer(plan: Plan, site: SiteFacts) -> Node:
    """Without a "docroot" the request goes on to the file that it would have had."""
    children = [
        *backends.address(
            plan.authorizers[site.name], "where the authorizer listens", "authorizer"
        ),
        pair("mode", "authorizer", why="200 lets a request through; any other answer is sent"),
        pair("check-local", "disable", why="it is asked for what does not exist, too"),
        *backends.timeouts(plan, backends.only_one()),
    ]
    return block(PAIR, "/", children=children, why="every URL that comes here")
