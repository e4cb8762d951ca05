"""Areas for those alone whom Django lets in: nginx asks an endpoint of the site for each request.

Manual: https://nginx.org/en/docs/http/ngx_http_auth_request_module.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from django_deploykit import contract
from django_deploykit.config.facts import Area, Endpoint, Mount, SiteFacts
from django_deploykit.config.renderer import Plan
from django_deploykit.config.servers.nginx import content, gateways
from django_deploykit.config.servers.nginx.dialect import variable
from django_deploykit.config.syntax.nodes import Comment, Node, Raw, block, directive
from django_deploykit.exceptions import ChoiceError


def check(plan: Plan) -> None:
    """Raise ChoiceError for areas that nginx could not guard, and say what they lack."""
    for site in plan.sites:
        for area in site.areas:
            if area.directory is None:
                raise ChoiceError(
                    f"{area.setting}: nginx guards files alone: add a 'DIRECTORY'. What Django "
                    "answers is guarded in its views (login_required, permission_required)."
                )
            _endpoint(site, area)


def serve(
    plan: Plan, site: SiteFacts, sites: tuple[SiteFacts, ...], hsts: list[Node]
) -> list[Node]:
    """The areas of a site, and the endpoints that nginx asks."""
    nodes: list[Node] = []
    for area in site.areas:
        nodes += [
            Comment(f"Only for those for whom the policy {area.policy!r} holds: {area.url}"),
            *_area(plan, site, area, hsts),
        ]
    for endpoint in dict.fromkeys(_endpoint(site, area) for area in site.areas):
        nodes += [
            Comment(f"Whom the policy {endpoint.policy!r} lets in; for nginx alone to ask."),
            _asked(plan, site, sites, endpoint),
        ]
    return [*nodes, *(_login(plan, site) if site.areas else [])]


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


def _endpoint(site: SiteFacts, area: Area) -> Endpoint:
    for endpoint in site.endpoints:
        if endpoint.policy == area.policy:
            return endpoint
    raise ChoiceError(
        f"{area.setting}: nginx asks Django at a URL, and the project has none for the policy "
        f"{area.policy!r}. Add to its URLconf: path('auth/{area.policy}/', "
        f"AuthRequestView.as_view(policy={area.policy!r})), from django_deploykit.views."
    )


def _area(plan: Plan, site: SiteFacts, area: Area, hsts: list[Node]) -> Iterator[Node]:
    if area.directory is None:
        raise AssertionError(area)  # check() has refused it.
    mount = Mount(url=area.url, directory=area.directory, setting=area.setting)
    slash = directive("return", 301, Raw(f"{area.url}$is_args$args"), why="the area is below")
    yield block("location", Raw("="), area.url.rstrip("/"), children=[slash], why="the bare URL")
    ask = directive(
        "auth_request",
        _endpoint(site, area).url,
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


def _asked(plan: Plan, site: SiteFacts, sites: tuple[SiteFacts, ...], endpoint: Endpoint) -> Node:
    """The endpoint reads the password, and which request it is about; never what a client says."""
    reader = replace(site, needs_authorization=True)
    why = "only nginx asks, about a request that it holds"
    plan = plan.at(site, endpoint.url)
    children = [
        directive("internal", why=why),
        gateways.target(plan, site),
        *gateways.without_body(plan, gateways.passing(plan, reader, sites)),
        gateways.told(plan, contract.AUTH_URL_HEADER, Raw("$request_uri"), why),
        gateways.told(plan, contract.AUTH_METHOD_HEADER, Raw("$request_method"), why),
    ]
    return block("location", Raw("="), endpoint.url, children=children, why=why)
