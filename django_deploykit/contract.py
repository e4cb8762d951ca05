"""The names on which the web server and Django agree: each stands here once.

The generator makes the server set these and strip every other spelling; the runtime reads these
and no others. Nothing here is imported from anywhere else.
"""

from __future__ import annotations

import re

# The stack that a configuration was written for, as "front/gateway", e.g. "apache/mod_wsgi".
# A process variable in scripts and service files; a request variable where the front is itself
# the gateway. It does not begin with HTTP_, so that no client can set it.
STACK_KEY = "DEPLOYKIT_STACK"

# What proxies say about the client. A server that is itself the edge removes all of them.
FORWARDED_HEADERS = (
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Proto",
    "X-Forwarded-Protocol",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Client-Ip",
    "X-Real-Ip",
    "X-Scheme",
    "X-Url-Scheme",
    "Front-End-Https",
    "True-Client-Ip",
)

# What proxies say about the URL below which an application lies.
PREFIX_HEADERS = (
    "X-Forwarded-Path",
    "X-Forwarded-Prefix",
    "X-Forwarded-Script-Name",
    "X-Script-Name",
    "X-Original-Url",
    "X-Rewrite-Url",
)

# CGI's own names, which some gateways take from a header of that name (gunicorn, httpoxy).
CGI_HEADERS = (
    "Script-Name",
    "Path-Info",
    "Proxy",
)

# Who the user is, in the spellings of the common single sign-on servers.
IDENTITY_HEADERS = (
    "Remote-User",
    "Remote-Groups",
    "Remote-Name",
    "Remote-Email",
    "X-Remote-User",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Auth-Request-Groups",
)

# What a front server says to an application server over HTTP. It overwrites both in every
# request; over uwsgi, FastCGI and SCGI the same facts travel as parameters of CGI.
CLIENT_ADDRESS_HEADER = "X-Forwarded-For"
SCHEME_HEADER = "X-Forwarded-Proto"

# What a web server tells an auth endpoint about the request that it asks for. nginx is told to
# set both in every sub-request; over uwsgi, FastCGI and SCGI they travel as parameters of the
# same key.
AUTH_URL_HEADER = "X-Deploykit-Auth-Url"
AUTH_METHOD_HEADER = "X-Deploykit-Auth-Method"

# The same from Traefik's ForwardAuth and Caddy's forward_auth, who name them thus.
FORWARD_AUTH_URL_HEADER = "X-Forwarded-Uri"
FORWARD_AUTH_METHOD_HEADER = "X-Forwarded-Method"

# Who passed, as an auth endpoint tells the web server: user, groups, name, e-mail address.
# Always all four, percent-encoded UTF-8, empty where unknown.
AUTH_IDENTITY_HEADERS = ("Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email")

# Who passed, as the FastCGI authorizer tells it: a request variable of Apache and lighttpd.
AUTH_USER_KEY = "DEPLOYKIT_USER"

# Which policy an area has, where one authorizer answers for several: a request variable too.
AUTH_POLICY_KEY = "DEPLOYKIT_POLICY"

# What only the web server knows, for an authorizer on a host with other users (SetEnvIf).
AUTH_TOKEN_KEY = "DEPLOYKIT_TOKEN"  # noqa: S105  # the name of a variable, not a secret

# A group of this prefix, in Apache's "Require wsgi-group", is a policy and not a row of Group.
POLICY_GROUP_PREFIX = "@"

# Every header that a client may never bring to Django by itself.
CLIENT_FORBIDDEN_HEADERS = FORWARDED_HEADERS + PREFIX_HEADERS + CGI_HEADERS + IDENTITY_HEADERS


def environ_key(header: str) -> str:
    """The key under which a request header arrives in a WSGI environ (RFC 3875 4.1.18)."""
    return "HTTP_" + header.upper().replace("-", "_")


# The same, as keys of a WSGI environ.
CLIENT_FORBIDDEN_KEYS = tuple(environ_key(name) for name in CLIENT_FORBIDDEN_HEADERS)


def data_header(name: str) -> str:
    """The header that carries SITE["ENVIRON"][name] where a front speaks HTTP."""
    return "X-Deploykit-" + name.title().replace("_", "-")


def socket_path(site: str) -> str:
    """Where the front server meets the application server of a site, unless told otherwise."""
    return f"/run/{site}/{site}.sock"


# Keys of SITE["ENVIRON"] arrive in request.META under this very name through every gateway.
_ENVIRON_NAME = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_TAKEN_BY_CGI = re.compile(
    r"(HTTP|SERVER|REQUEST|REMOTE|CONTENT|SCRIPT|PATH|DOCUMENT|REDIRECT|SSL|DEPLOYKIT|WSGI"
    r"|APACHE|PYTHON|DJANGO|CONTEXT|QUERY|GATEWAY|AUTH)(_|\Z)|HTTPS\Z"
)


def environ_name_is_free(name: str) -> bool:
    """Tell whether ``name`` may be a key of SITE["ENVIRON"]: not HTTP_*, CGI's, WSGI's or ours."""
    return bool(_ENVIRON_NAME.match(name)) and not _TAKEN_BY_CGI.match(name)
