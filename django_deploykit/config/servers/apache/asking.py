"""Areas without mod_wsgi: Apache asks an authorizer for each request, over FastCGI.

Manual: https://httpd.apache.org/docs/2.4/mod/mod_authnz_fcgi.html
"""

from __future__ import annotations

from django_deploykit import contract
from django_deploykit.config.facts import Area, SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.apache.dialect import Version
from django_deploykit.config.syntax.nodes import Comment, Node, Raw, block, directive
from django_deploykit.exceptions import ChoiceError

# Without mod_auth_basic, whose check is never reached, 401 comes without WWW-Authenticate.
MODULES = {"auth_basic", "authn_core", "authnz_fcgi", "authz_user", "setenvif"}

# mod_authnz_fcgi came with 2.4.10, CGIPassAuth with 2.4.13 (the line "Compatibility" of each).
SINCE = (2, 4, 13)


def check(plan: Plan) -> None:
    """Raise ChoiceError for an httpd that cannot ask."""
    version = Version.of(plan.deployment)
    if plan.asking() and not version.at_least(*SINCE):
        where, needed = plan.asking()[0].areas[0].setting, ".".join(map(str, SINCE))
        raise ChoiceError(
            f"{where}: needs Apache {needed} with gateway {plan.gateway!r}, not {version}. "
            "Use gateway 'mod_wsgi'."
        )


def server_level(plan: Plan) -> list[Node]:
    """Where each site's authorizer is, outside of the virtual hosts."""
    if not plan.asking():
        return []
    why = "who may enter an area (AUTH_AREAS); mod_authnz_fcgi knows no unix sockets"
    return [
        Comment("Apache asks these programs for users (AUTH_AREAS); each belongs to a site."),
        *(
            directive(
                "AuthnzFcgiDefineProvider",
                Raw("authn"),
                _provider(site),
                f"fcgi://{plan.authorizers[site.name]}/",
                why=why,
                setting="authorizer",
            )
            for site in plan.asking()
        ),
    ]


def rules(site: SiteFacts, area: Area) -> list[Node]:
    """The authorizer's 401, 403 and way to the login page are what the client gets."""
    setting = area.setting
    return [
        directive("AuthType", Raw("Basic"), why="it has to be one; the authorizer decides"),
        directive("AuthName", site.name, why="one prompt for all areas of a site"),
        _said(contract.AUTH_POLICY_KEY, area.policy, setting),
        _said(contract.SITE_KEY, site.name, setting),
        directive("CGIPassAuth", Raw("On"), why="the authorizer sees passwords, and cookies"),
        *_no_further(site),
        directive(
            "AuthnzFcgiCheckAuthnProvider",
            _provider(site),
            *map(Raw, ("Authoritative", "On", "RequireBasicAuth", "Off", "UserExpr")),
            Raw(f'"%{{reqenv:{contract.AUTH_USER_KEY}}}"'),
            why="200 with a name lets a request through; any other answer is sent",
            setting=setting,
        ),
        directive("AuthzSendForbiddenOnFailure", Raw("On"), why="no prompt for who is known"),
        block("RequireAll", children=_all(area), why="all of these", setting=setting),
    ]


def _said(key: str, value: str, setting: str) -> Node:
    why = "said to the authorizer: no header of a client arrives under this name"
    said = Raw(f'"{key}={value}"')
    return directive("SetEnvIf", Raw("Request_URI"), Raw("^"), said, why=why, setting=setting)


def _all(area: Area) -> list[Node]:
    test = Raw(f"\"%{{reqenv:{contract.AUTH_POLICY_KEY}}} == '{area.policy}'\"")
    why = "a sub-request (SSI, say) from another area was asked about with that area's policy"
    return [
        directive("Require", Raw("valid-user"), why="nobody whom the authorizer does not name"),
        directive("Require", Raw("expr"), test, why=why, setting=area.setting),
    ]


def _no_further(site: SiteFacts) -> list[Node]:
    """CGIPassAuth would show the password to the application as well."""
    if site.needs_authorization:
        return []
    why = "the application never reads it; it is taken away once the authorizer was asked"
    setting = "REST_FRAMEWORK"
    return [directive("RequestHeader", "unset", "Authorization", why=why, setting=setting)]


def _provider(site: SiteFacts) -> str:
    return f"django-{site.name}"
