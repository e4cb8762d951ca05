"""Areas for those alone whom Django lets in: nginx asks for each request, an endpoint of the site
where it has one for every policy, or else an authorizer.

Manual: https://nginx.org/en/docs/http/ngx_http_auth_request_module.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from django_deploykit import contract
from django_deploykit.config.facts import Area, Endpoint, Mount, SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.nginx import asking, content, gateways
from django_deploykit.config.servers.nginx.dialect import variable
from django_deploykit.config.syntax.nodes import Comment, Node, Raw, block, directive
from django_deploykit.exceptions import ChoiceError


def check(plan: Plan) -> None:
    """Raise ChoiceError for areas that nginx could not guard."""
    for site in plan.sites:
        for area in site.areas:
            if area.directory is None:
                raise ChoiceError(
                    f"{area.setting}: nginx guards files alone: add a 'DIRECTORY'. What Django "
                    "answers is guarded in its views (login_required, permission_required)."
                )


def serve(
    plan: Plan, site: SiteFacts, sites: tuple[SiteFacts, ...], hsts: list[Node]
) -> list[Node]:
    """The areas of a site, and where nginx asks about them."""
    nodes: list[Node] = []
    for area in site.areas:
        nodes += [
            Comment(f"Only for those for whom the policy {area.policy!r} holds: {area.url}"),
            *_area(plan, site, area, hsts),
        ]
    for policy, area in {area.policy: area for area in site.areas}.items():
        nodes += [
            Comment(f"Whom the policy {policy!r} lets in; for nginx alone to ask."),
            _asked(plan, site, sites, area),
        ]
    return [*nodes, *(_login(plan, site) if site.areas else [])]


def closed(plan: Plan, site: SiteFacts) -> list[Node]:
    """404 at the endpoints of Django's that nginx asks, where a pattern could hand them on."""
    why = "for nginx alone, which asks over TLS"
    found = [_endpoint(plan, site, area) for area in site.areas]
    nothing = directive("return", 404, why=why)
    return [
        block("location", Raw("="), url, children=[nothing], why=why)
        for url in dict.fromkeys(one.url for one in found if one in site.endpoints)
    ]


def _login(plan: Plan, site: SiteFacts) -> list[Node]:
    """Where 401 leads: for a browser the login page, for any other client a prompt.

    Django says where, with the URL to come back to: nginx cannot write that into a query.
    """
    if not site.login_url:
        return []
    why = "who is not logged in, wants a page, and has sent no password, can log in"
    where = _where(plan)
    go = directive("return", 302, where, why=why)
    children: list[Node] = [
        block("if", Raw(f"({where.text})"), children=[go], why=why, setting="LOGIN_URL"),
        directive("return", 401, why="with the endpoint's own challenge"),
    ]
    return [block("location", Raw(f"@{site.name}_login"), children=children, why=why)]


def _where(plan: Plan) -> Raw:
    return variable(plan, "login")


def _endpoint(plan: Plan, site: SiteFacts, area: Area) -> Endpoint:
    """Where nginx asks about an area: at a URL of Django's, or at one that nobody else has."""
    found = site.endpoint(area.policy)
    if found and site not in plan.asking():
        return found
    return Endpoint(url=contract.asking_url(site.prefix, area.policy), policy=area.policy)


def _area(plan: Plan, site: SiteFacts, area: Area, hsts: list[Node]) -> Iterator[Node]:
    if area.directory is None:
        raise AssertionError(area)  # check() has refused it.
    mount = Mount(url=area.url, directory=area.directory, setting=area.setting)
    slash = directive("return", 301, Raw(f"{area.url}$is_args$args"), why="the area is below")
    yield block("location", Raw("="), area.url.rstrip("/"), children=[slash], why="the bare URL")
    ask = directive(
        "auth_request",
        _endpoint(plan, site, area).url,
        why="200 lets the request through, 401 and 403 do not, and all else is an error",
        setting=area.setting,
    )
    yield content.guarded(site, mount, [ask, *_lead(plan, site)], hsts)


def _lead(plan: Plan, site: SiteFacts) -> list[Node]:
    if not site.login_url:
        return []
    why = "the way to log in, or a prompt"
    said = contract.AUTH_LOGIN_HEADER.lower().replace("-", "_")
    login = Raw("="), Raw(f"@{site.name}_login")
    return [
        directive("auth_request_set", _where(plan), Raw(f"$upstream_http_{said}"), why=why),
        directive("error_page", 401, *login, why=why),
    ]


def _asked(plan: Plan, site: SiteFacts, sites: tuple[SiteFacts, ...], area: Area) -> Node:
    """The endpoint reads the password, and which request it is about; never what a client says."""
    if site in plan.asking():
        return asking.location(plan, site, sites, area)
    # A question is never a websocket, whatever the client asks for.
    reader = replace(site, needs_authorization=True, websockets=())
    why = "only nginx asks, about a request that it holds"
    url = _endpoint(plan, site, area).url
    plan = plan.at(site, url)
    children = [
        directive("internal", why=why),
        gateways.target(plan, site),
        *gateways.without_body(plan, gateways.passing(plan, reader, sites)),
        gateways.told(plan, contract.AUTH_URL_HEADER, Raw("$request_uri"), why),
        gateways.told(plan, contract.AUTH_METHOD_HEADER, Raw("$request_method"), why),
    ]
    return block("location", Raw("="), url, children=children, why=why)
