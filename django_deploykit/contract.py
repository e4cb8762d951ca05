"""The names on which the web server and Django agree: each stands here once.

The generator makes the server set these and strip every other spelling; the runtime reads these
and no others. Nothing here is imported from anywhere else.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# The stack that a configuration was written for, as "front/gateway", e.g. "apache/mod_wsgi".
# A process variable in scripts and service files; a request variable where the front is itself
# the gateway. It does not begin with HTTP_, so that no client can set it.
STACK_KEY = "DEPLOYKIT_STACK"

# Seconds after which a request costs its process, where the server itself has no limit for one of
# several threads: in the server's own file, as a process variable or, with uWSGI, an option. Pools
# share a script, and have seconds of their own.
TIMEOUT_KEY = "DEPLOYKIT_REQUEST_TIMEOUT"

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
    "X-Forwarded",
    "Forwarded-For",
    "Client-Ip",
    "X-Cluster-Client-Ip",
    "Cf-Connecting-Ip",
    "Cf-Connecting-Ipv6",
    "Fastly-Client-Ip",
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


class IdentityHeaders(NamedTuple):
    """The words in which one single sign-on server says who the user is."""

    user: str
    groups: str
    email: str
    others: tuple[str, ...] = ()


AUTHELIA = IdentityHeaders("Remote-User", "Remote-Groups", "Remote-Email", ("Remote-Name",))
AUTHENTIK = IdentityHeaders(
    "X-Authentik-Username",
    "X-Authentik-Groups",
    "X-Authentik-Email",
    ("X-Authentik-Name", "X-Authentik-Uid"),
)
OAUTH2_PROXY = IdentityHeaders(
    "X-Forwarded-User",
    "X-Forwarded-Groups",
    "X-Forwarded-Email",
    ("X-Forwarded-Preferred-Username",),
)
# The same server, asked by nginx's auth_request.
OAUTH2_PROXY_ASKED = IdentityHeaders(
    "X-Auth-Request-User",
    "X-Auth-Request-Groups",
    "X-Auth-Request-Email",
    ("X-Auth-Request-Preferred-Username",),
)

# Where these carry a signed token, which a client may send as it likes: its issuer vouches for it.
CLOUDFLARE_ACCESS_HEADER = "Cf-Access-Jwt-Assertion"
GOOGLE_IAP_HEADER = "X-Goog-Iap-Jwt-Assertion"

# Who the user is, in all spellings that anybody may be told to believe.
IDENTITY_HEADERS = (
    *(
        name
        for words in (AUTHELIA, AUTHENTIK, OAUTH2_PROXY, OAUTH2_PROXY_ASKED)
        for name in (*words[:3], *words.others)
    ),
    "X-Remote-User",
)

# Where CGI has the name of the user whom the web server let in (RFC 3875 4.1.11).
USER_KEY = "REMOTE_USER"
# How a request ended for which Apache asks for another; each further time with REDIRECT_ once more.
# After these, nobody may have looked whether the user is who it says.
REDIRECT_STATUS_KEY = "REDIRECT_STATUS"
UNVERIFIED_STATUSES = ("400", "401", "500")

# What a front server says to an application server over HTTP. It overwrites both in every
# request; over uwsgi, FastCGI and SCGI the same facts travel as parameters of CGI.
CLIENT_ADDRESS_HEADER = "X-Forwarded-For"
SCHEME_HEADER = "X-Forwarded-Proto"

# The header of a response in which an application names a file for its front to send, by path.
SENDFILE_HEADER = "X-Sendfile"
# An answer with this header is passed on as it is written, where the front is one of these; they
# keep the header to themselves, and others would show it to clients.
STREAM_HEADER = "X-Accel-Buffering"
STREAM_FRONTS = ("nginx",)
# What other proxies may be trusted to say (DEPLOYKIT["PROXY"]["HEADERS"]): the words of one
# family for client, scheme, host and port, and beside either, one header for the URL prefix.
HOST_HEADER = "X-Forwarded-Host"
PORT_HEADER = "X-Forwarded-Port"
X_FORWARDED_FAMILY = (CLIENT_ADDRESS_HEADER, SCHEME_HEADER, HOST_HEADER, PORT_HEADER)
FORWARDED_HEADER = "Forwarded"
BELIEVABLE_PREFIX_HEADERS = ("X-Forwarded-Prefix", "X-Script-Name")

# Zope's words for a virtual host in the path: the first segment, and what follows the host.
ZOPE_MARKER = "VirtualHostBase"
ZOPE_ROOT = "/VirtualHostRoot"

# By this a proxy proves who it is, where its address does not. It is in no list of a front's: only
# the runtime reads and removes it.
PROOF_HEADER = "Deploykit-Proxy-Secret"

# The front servers whose emitted configuration overwrites, over HTTP, the two headers above in
# every request. Behind any other name in STACK_KEY, no header is believed.
FRONTS = ("apache", "haproxy", "lighttpd", "nginx")

# Where the decision on a request stands: in the WSGI environ or the ASGI scope. No header arrives
# under a key with small letters and a dot.
DECISION_KEY = "deploykit.decision"
# What a web server tells an auth endpoint about the request that it asks for. nginx is told to
# set both in every sub-request; over uwsgi, FastCGI and SCGI they travel as parameters of the
# same key.
AUTH_URL_HEADER = "X-Deploykit-Auth-Url"
AUTH_METHOD_HEADER = "X-Deploykit-Auth-Method"

# The same from Traefik's ForwardAuth and Caddy's forward_auth, who name them thus.
FORWARD_AUTH_URL_HEADER = "X-Forwarded-Uri"
FORWARD_AUTH_METHOD_HEADER = "X-Forwarded-Method"

# Where a browser that may not pass can log in, as an auth endpoint tells nginx beside its 401.
AUTH_LOGIN_HEADER = "X-Deploykit-Login"

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

# The same for nginx, by the URL of an internal location.
ACCEL_HEADER = "X-Accel-Redirect"

# The same for Apache's mod_proxy_scgi and mod_wsgi, by a local URL. The second's name is fixed: a
# redirect with status 200 is one within Apache for mod_wsgi's daemon.
SCGI_REDIRECT_HEADER = "X-Location"
WSGI_REDIRECT_HEADER = "Location"

# Which of them this very configuration understands: a request variable, as STACK_KEY is.
SENDFILE_KEY = "DEPLOYKIT_SENDFILE"

# Whose request it is: Apache reads it where a redirect within itself opens files, and an authorizer
# that knows one site's users, whom another site's front may ask by mistake.
SITE_KEY = "DEPLOYKIT_SITE"

# Who can send a protected file, as SENDFILE["BACKEND"] names them; the first is Python itself.
STREAM_BACKEND = "stream"
SENDFILE_BACKENDS = (
    STREAM_BACKEND,
    "nginx",
    "lighttpd",
    "mod_xsendfile-0.12",
    "mod_xsendfile-1.0",
    "mod_proxy_scgi",
    "mod_proxy_scgi-redirect",
    "mod_wsgi",
)

# Types that a browser would run, or style the site with, in the site's own name.
ACTIVE_TYPES = re.compile(r"[/+]xml\b|svg|html|javascript|ecmascript|^multipart/|^text/css", re.I)

# The headers of a protected file that a front has to say again, where it would drop them.
KEPT_HEADERS = (
    "Access-Control-Allow-Credentials",
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
    "Content-Language",
    "Content-Security-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "ETag",
    "Link",
    "Permissions-Policy",
    "Referrer-Policy",
    "Vary",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-Robots-Tag",
)

# A redirect within Apache loses these. They go in the query of its URL, for Apache to say them.
RESTORED_HEADERS = (
    *KEPT_HEADERS,
    "Cache-Control",
    "Content-Disposition",
    "Content-Type",
    "Expires",
    "Last-Modified",
)

# mod_proxy_scgi loses none, but Apache's own are in the place of these.
REPLACED_HEADERS = ("Content-Type", "ETag")

# Every header that a client may never bring to Django by itself.
CLIENT_FORBIDDEN_HEADERS = FORWARDED_HEADERS + PREFIX_HEADERS + CGI_HEADERS + IDENTITY_HEADERS


def environ_key(header: str) -> str:
    """The key under which a request header arrives in a WSGI environ (RFC 3875 4.1.18)."""
    return "HTTP_" + header.upper().replace("-", "_")


# The same, as keys of a WSGI environ.
CLIENT_FORBIDDEN_KEYS = tuple(environ_key(name) for name in CLIENT_FORBIDDEN_HEADERS)


# What else of an environ is a client's own text, under names that do not begin with HTTP_: parts of
# the request line, the name that its address has in DNS, what TLS hands over before anybody has
# verified it; what a server that redirects within itself makes of HTTP_*, and of the user of the
# request that led there, whom it may have refused (httpd, ap_add_common_vars).
_CLIENT_WRITTEN = re.compile(
    r"(?:REDIRECT_)*(?:HTTP[_-].*|CONTENT_(?:TYPE|LENGTH)|DOCUMENT_URI|PATH_(?:INFO|TRANSLATED)"
    r"|QUERY_STRING|RAW_URI|REMOTE_(?:HOST|IDENT)|REQUEST_(?:METHOD|URI)|SCRIPT_(?:NAME|URI|URL)"
    r"|SERVER_(?:NAME|PROTOCOL)|SSL_.*|URL)\Z"
    r"|(?:REDIRECT_)+REMOTE_USER\Z",
    re.IGNORECASE,
)
_SERVER_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")


# What of a client's certificate is its holder's name, by mod_ssl's keys: no name that two issuers
# may give to two people. It counts where the server says, by the second key, that it was verified.
_CERTIFICATE_NAME = re.compile(r"SSL_CLIENT_SAN_(?:Email|OTHER_msUPN)_[0-9]+\Z")
CERTIFICATE_VERDICT_KEY = "SSL_CLIENT_VERIFY"
CERTIFICATE_IS_VERIFIED = "SUCCESS"


def is_certificate_name(key: str) -> bool:
    """Tell whether a key holds a name in a client's certificate, verified or not."""
    return bool(_CERTIFICATE_NAME.match(key))


def only_the_server_writes(key: str) -> bool:
    """Tell whether no client can put text under this key of a WSGI environ."""
    return bool(_SERVER_KEY.match(key)) and not _CLIENT_WRITTEN.match(key)


def data_header(name: str) -> str:
    """The header that carries SITE["ENVIRON"][name] where a front speaks HTTP."""
    return "X-Deploykit-" + name.title().replace("_", "-")


def internal_url(prefix: str, url: str) -> str:
    """The name that a directory of SITE["PROTECTED"] has in the web server, for no client."""
    return prefix + url


# Of a file in object storage: path and query of its signed URL, without the first slash, and which
# part of it is wanted. nginx takes both from Django alone, and passes neither on.
STORE_HEADER = "X-Deploykit-Store"
STORE_RANGE_HEADER = "X-Deploykit-Store-Range"
STORE = re.compile(r"https?://(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")


def store_url(prefix: str, number: int) -> str:
    """The name that an origin of SENDFILE["STORES"] has in the web server, for no client."""
    return f"{prefix}/.deploykit-store/{number}"


def pool_name(site: str, pool: str) -> str:
    """What the processes of one of a site's pools are called: in files, sockets and units."""
    return f"{site}-{pool}"


def socket_path(name: str) -> str:
    """Where the front server meets the application server of a site or pool, unless told
    otherwise."""
    return f"/run/{name}/{name}.sock"


def authorizer_path(site: str) -> str:
    """Where a front asks the authorizer of a site, if it can ask over a unix socket."""
    return f"/run/{site}-authorizer/{site}.sock"


# And where it cannot: the first of a server's sites; each other has the next port.
AUTHORIZER_HOST, AUTHORIZER_PORT = "127.0.0.1", 9010


def asking_url(prefix: str, policy: str) -> str:
    """Where nginx asks the authorizer about a policy: a URL in nginx, for no client."""
    return f"{prefix}/.deploykit-auth/{policy}"


def route_cookie(site: str) -> str:
    """The cookie in which a client says to which application server it is bound: a number of the
    front's, and nothing that Django reads."""
    return f"{site.replace('-', '_')}_route"


# Keys of SITE["ENVIRON"] arrive in request.META under this very name through every gateway.
_ENVIRON_NAME = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_TAKEN_BY_CGI = re.compile(
    r"(HTTP|SERVER|REQUEST|REMOTE|CONTENT|SCRIPT|PATH|DOCUMENT|REDIRECT|SSL|DEPLOYKIT|WSGI"
    r"|APACHE|PYTHON|DJANGO|CONTEXT|QUERY|GATEWAY|AUTH)(_|\Z)|HTTPS\Z"
)


def environ_name_is_free(name: str) -> bool:
    """Tell whether ``name`` may be a key of SITE["ENVIRON"]: not HTTP_*, CGI's, WSGI's or ours."""
    return bool(_ENVIRON_NAME.match(name)) and not _TAKEN_BY_CGI.match(name)
