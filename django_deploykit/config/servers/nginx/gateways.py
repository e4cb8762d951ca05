"""The ways from nginx to an application server: HTTP, uwsgi, FastCGI, SCGI.

Manual: https://nginx.org/en/docs/http/ngx_http_proxy_module.html and its siblings, which have the
same directives under other first words.
"""

from __future__ import annotations

from collections.abc import Sequence

from django_deploykit import contract
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.nginx import upstreams
from django_deploykit.config.servers.nginx.conduct import conduct
from django_deploykit.config.servers.nginx.dialect import variable
from django_deploykit.config.servers.nginx.directives import WORDS, header, parameter
from django_deploykit.config.syntax import nginx
from django_deploykit.config.syntax.nodes import (
    Argument,
    Comment,
    Node,
    Raw,
    block,
    directive,
)
from django_deploykit.exceptions import UnrepresentableValue

# What CGI calls the parts of a request (RFC 3875), and nginx's variables for them. The whole
# path goes into PATH_INFO; the application takes its prefix from there.
_PARAMETERS = {
    "REQUEST_METHOD": "$request_method",
    "SCRIPT_NAME": '""',
    "PATH_INFO": "$document_uri",
    "QUERY_STRING": "$query_string",
    "REQUEST_URI": "$request_uri",
    "CONTENT_TYPE": "$content_type",
    "CONTENT_LENGTH": "$content_length",
    "SERVER_PROTOCOL": "$server_protocol",
    "SERVER_NAME": "$host",
    "SERVER_PORT": "$server_port",
    "REMOTE_ADDR": "$remote_addr",
    "REMOTE_PORT": "$remote_port",
}


def host_map(plan: Plan) -> list[Node]:
    """The client's Host, with its port; in a request that names another one in its first line
    (RFC 9112 3.2.2), that one, because it has decided which site answers."""
    why = "Django gets the name by which this host was chosen, with the client's port"
    return [
        Comment("The client's Host as it came, unless the request line named another one."),
        block(
            "map",
            Raw('"$host $http_host"'),
            variable(plan, "host"),
            why=why,
            children=[
                directive("default", Raw("$host"), why=why),
                directive(nginx.literal(r"~*^([^ ]+) \1(?::[0-9]+)?$"), Raw("$http_host"), why=why),
            ],
        ),
    ]


def passing(plan: Plan, site: SiteFacts, sites: Sequence[SiteFacts]) -> list[Node]:
    """What holds for requests that are handed to ``site``, one of ``sites`` under one name."""
    return [*request(plan, site, sites), *conduct(plan, site)]


def request(plan: Plan, site: SiteFacts, sites: Sequence[SiteFacts]) -> list[Node]:
    """What is said of a request: by nginx what is its own to say, else by the client."""
    tell = _over_http if plan.gateway == "http" else _over_cgi
    return tell(plan, site, sites)


def target(plan: Plan, site: SiteFacts) -> Node:
    """Hand a request over. Over HTTP without a path, so that the client's own is kept."""
    scheme = "http://" if plan.gateway == "http" else ""
    where = Raw(f"{scheme}{upstreams.chosen(plan, site)}")
    why = "hands the request to the application server"
    return directive(f"{WORDS[plan.gateway]}pass", where, why=why, setting="WSGI_APPLICATION")


def hidden_header(plan: Plan, name: str, why: str, setting: str) -> Node:
    """Take a header out of Django's responses."""
    return directive(f"{WORDS[plan.gateway]}hide_header", name, why=why, setting=setting)


def told(plan: Plan, name: str, value: Argument, why: str) -> Node:
    """Say something under the name of a header, whatever the client's own header says."""
    if plan.gateway == "http":
        return header(name, value, why)
    return parameter(plan, contract.environ_key(name), value, why=why)


def without_body(plan: Plan, passing: list[Node]) -> list[Node]:
    """What is said of a request, but for its body, and how long that is."""
    why, length = "of the body nothing is asked", ("CONTENT_LENGTH", Raw("$content_length"))
    kept = [node for node in passing if isinstance(node, Comment) or node.args != length]
    own = [header("Content-Length", "", why)] if plan.gateway == "http" else []
    return [*kept, directive(f"{WORDS[plan.gateway]}pass_request_body", "off", why=why), *own]


def _over_http(plan: Plan, site: SiteFacts, sites: Sequence[SiteFacts]) -> list[Node]:
    true = {
        contract.CLIENT_ADDRESS_HEADER: "$remote_addr",
        contract.SCHEME_HEADER: "$scheme",
    }
    nodes = [
        Comment("What the connection is, in place of what a client says."),
        header("Host", variable(plan, "host"), "Django builds links with the client's Host"),
        *(
            header(name, Raw(value), "the application believes this header, and no client")
            for name, value in true.items()
        ),
        *_data(site),
        Comment(_EDGE),
    ]
    why = "a client could claim another address, scheme, prefix, identity or data with it"
    own = {name for name, _ in site.environ}
    others = {name for other in sites for name, _ in other.environ} - own
    refused = [name for name in contract.CLIENT_FORBIDDEN_HEADERS if name not in true]
    refused += [contract.data_header(name) for name in sorted(others)]
    nodes += [header(name, "", why) for name in refused]
    return [*nodes, *_credentials(site), *hash_size()]


_EDGE = (
    "Only a proxy may say these things, and this server is the edge.\n"
    "(Spellings with an underscore end at underscores_in_headers.)"
)


def _data(site: SiteFacts) -> list[Node]:
    why = "data for the application, in request.META"
    nodes: list[Node] = []
    for name, value in site.environ:
        setting = f"DEPLOYKIT['SITE']['ENVIRON'][{name!r}]"
        if value != value.strip():
            reason = "blanks at its ends do not survive"
            raise UnrepresentableValue(value, "a header of HTTP", reason, setting)
        nodes.append(header(contract.data_header(name), value, why, setting))
    return nodes


def _credentials(site: SiteFacts) -> list[Node]:
    kept = () if site.needs_authorization else ("Authorization",)
    why = "credentials go no further than somebody reads them"
    return [header(name, "", why, "REST_FRAMEWORK") for name in (*kept, "Proxy-Authorization")]


def hash_size() -> list[Node]:
    """Room for the names of headers that are said or hidden over HTTP."""
    why = "room for the headers above; nginx warns, or does not start, where it is too small"
    return [
        directive("proxy_headers_hash_max_size", 2048, why=why),
        directive("proxy_headers_hash_bucket_size", 128, why=why),
    ]


def _over_cgi(plan: Plan, site: SiteFacts, sites: Sequence[SiteFacts]) -> list[Node]:
    return [
        Comment("The request, in the words of CGI."),
        *(parameter(plan, name, Raw(value)) for name, value in _cgi(plan).items()),
        parameter(plan, "HTTPS", Raw("$https"), Raw("if_not_empty")),
        parameter(plan, contract.environ_key("Host"), variable(plan, "host")),
        *_data_parameters(plan, site),
        Comment(_EDGE),
        *_kept_back(plan, site),
    ]


def _cgi(plan: Plan) -> dict[str, str]:
    if plan.gateway != "scgi":
        return _PARAMETERS
    # nginx itself begins every SCGI request with CONTENT_LENGTH.
    rest = {name: value for name, value in _PARAMETERS.items() if name != "CONTENT_LENGTH"}
    return {"SCGI": "1", **rest}


def _data_parameters(plan: Plan, site: SiteFacts) -> list[Node]:
    why = "data for the application, in request.META"
    return [
        parameter(plan, name, value, why=why, setting=f"DEPLOYKIT['SITE']['ENVIRON'][{name!r}]")
        for name, value in site.environ
    ]


def _kept_back(plan: Plan, site: SiteFacts) -> list[Node]:
    """A parameter takes the place of the header of that name; an empty one is not sent."""
    scheme = contract.environ_key(contract.SCHEME_HEADER)
    refused = [key for key in contract.CLIENT_FORBIDDEN_KEYS if key != scheme]
    withheld = ["Proxy-Authorization", "Transfer-Encoding"]
    withheld += [] if site.needs_authorization else ["Authorization"]
    why = "a client could claim another address, scheme, prefix or identity with it"
    return [
        parameter(
            plan, scheme, Raw("$scheme"), why="uWSGI takes the scheme from it, whoever sent it"
        ),
        *(parameter(plan, key, "", Raw("if_not_empty"), why=why) for key in refused),
        *(
            parameter(
                plan,
                contract.environ_key(name),
                "",
                Raw("if_not_empty"),
                why="credentials go no further than somebody reads them, framing ends here",
            )
            for name in withheld
        ),
    ]
