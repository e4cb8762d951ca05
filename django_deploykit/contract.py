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

# The header of a response in which an application names a file for its front to send, by path.
SENDFILE_HEADER = "X-Sendfile"

# The same for nginx, by the URL of an internal location.
ACCEL_HEADER = "X-Accel-Redirect"

# Every header by which some server would open a file: one that is not the stack's own is dropped.
HAND_OFF_HEADERS = (SENDFILE_HEADER, ACCEL_HEADER, "X-Lighttpd-Send-File", "X-Sendfile2")

# Who can send a protected file, as SENDFILE["BACKEND"] names them; "stream" is Python itself.
SENDFILE_BACKENDS = (
    "stream",
    "nginx",
    "lighttpd",
    "mod_xsendfile-0.12",
    "mod_xsendfile-1.0",
    "mod_proxy_scgi",
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


def internal_url(prefix: str, url: str) -> str:
    """The name that a directory of SITE["PROTECTED"] has in the web server, for no client."""
    return prefix + url


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
