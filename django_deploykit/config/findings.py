"""What can be wrong with a project's settings, each kind with a stable id and a hint.

``manage.py check`` and ``deployconfig`` report the same findings; the text stands here once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """``ERROR`` makes a correct configuration impossible; ``WARNING`` does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Kind:
    """One thing that can be wrong.

    ``deploy`` kinds matter only where the site is served: ``manage.py check`` leaves them to
    ``check --deploy``, so that they never keep anybody from ``runserver`` or the tests.
    """

    id: str
    level: Level
    hint: str
    deploy: bool = False


@dataclass(frozen=True)
class Finding:
    """A kind, met in one project: the setting, and what it says there."""

    kind: Kind
    setting: str
    message: str

    def __str__(self) -> str:
        return f"{self.setting}: {self.message} {self.kind.hint} ({self.kind.id})"


def _error(number: int, hint: str, *, deploy: bool = False) -> Kind:
    return Kind(f"deploykit.E{number:03}", Level.ERROR, hint, deploy)


def _warning(number: int, hint: str, *, deploy: bool = False) -> Kind:
    return Kind(f"deploykit.W{number:03}", Level.WARNING, hint, deploy)


CONF_UNKNOWN = _error(1, "See the settings reference for every key.")
CONF_TYPE = _error(2, "See the settings reference for the shape of this value.")
NO_APPLICATION = _error(
    3,
    "Set WSGI_APPLICATION, or ASGI_APPLICATION, to the dotted path of a callable, as startproject "
    "does.",
    deploy=True,
)
NO_HOSTS = _error(4, "List the names under which the site is reached.", deploy=True)
BAD_HOST = _error(
    5,
    "Write a name without a port, '.example.com' for it and its subdomains, an IP address (IPv6 in "
    "brackets: '[::1]'), or '*'.",
    deploy=True,
)
BAD_PREFIX = _error(
    6, "Write it like '/app': a leading slash, no trailing one, plain URL characters."
)
PREFIX_CONFLICT = _error(7, "Leave one of the two unset, or make them equal.")
NO_STATIC_ROOT = _error(
    8,
    "Set STATIC_ROOT to a directory of its own and run 'manage.py collectstatic'.",
    deploy=True,
)
OVERLAP = _error(9, "Move one of the two out of the other.")
URL_CONFLICT = _error(10, "Give each its own URL.")
BAD_URL = _error(11, "Write an absolute URL path with a slash at both ends.")
MISSING_PATH = _error(12, "Create it, or correct the setting.", deploy=True)
BAD_ENVIRON = _error(
    13, "Use upper-case names that CGI, WSGI and Django do not use, with text values."
)
BAD_TLS = _error(14, "Give 'CERTIFICATE' and 'KEY' as absolute paths.")
SITES_CONFLICT = _error(15, "Give the sites different hosts or different prefixes.")
SITE_FAILED = _error(16, "Mend that settings module first.")
BAD_ROUTE = _error(
    17, "Write absolute URL paths: routes with a slash at both ends, websockets with the first."
)
CHOICE = _error(18, "See the reference of --set keys.")
BAD_STORAGE = _error(19, "Name a storage class that can be imported in STORAGES.")
SECRET_IN_ENVIRON = _error(
    20, "Put it into the file that DEPLOYKIT['SITE']['ENV_FILE'] names, and read os.environ."
)
BAD_PROXY = _error(21, "See the reference of DEPLOYKIT['PROXY'].")
BAD_POOL = _error(22, "See the reference of DEPLOYKIT['SITE']['POOLS'].")
BAD_IDENTITY = _error(41, "See the identity reference for every key and its values.")
IDENTITY_INCOMPLETE = _error(42, "Nobody is signed in by the front until it is there.")
TWO_REMOTE_USERS = _error(43, "Take Django's out; its checks are part of ours.")
BAD_BACKEND = _error(81, "Leave it out where deployconfig has written the configuration.")
ACTIVE_INLINE = _error(82, "Leave it out: a browser would run such a file in the site's name.")
PROTECTED_OVERLAP = _error(83, "Give each directory a place of its own.")
PROTECTED_CODE = _error(84, "Protect a directory that holds nothing but files to be sent.")
BAD_STORE = _error(
    85, "Write scheme, host and perhaps port, in small letters: 'https://files.example.com'."
)

BAD_AUTH = _error(61, "See the reference of DEPLOYKIT['AUTH'].")
UNKNOWN_PERMISSION = _error(
    62, "Correct it; silence this check if the permission is made while the site runs."
)
NO_SUCH_CACHE = _error(63, "Name an alias of CACHES, or None.")
BAD_AREA = _error(64, "See the reference of DEPLOYKIT['SITE']['AUTH_AREAS'].")

STATIC_EMPTY = _warning(51, "Run 'manage.py collectstatic' before the site is served.", deploy=True)
NO_MANIFEST = _warning(
    52, "Run 'manage.py collectstatic'; pages fail without the manifest.", deploy=True
)
STATIC_FROM_PACKAGES = _warning(
    53,
    "It is enough to begin with; later set STATIC_ROOT and run 'manage.py collectstatic'.",
    deploy=True,
)
DEBUG_ON = _warning(54, "Set DEBUG = False before anybody else can reach the site.", deploy=True)
ANY_HOST = _warning(55, "List the names under which the site is reached.", deploy=True)
NEEDS_TLS = _warning(
    56,
    "Give DEPLOYKIT['SITE']['TLS'] the certificate and key if this server ends TLS, or say in "
    "DEPLOYKIT['PROXY'] which proxy does.",
    deploy=True,
)
FORWARDED_UNUSED = _warning(
    57,
    "This server is the edge: it removes that header from every request and Django sees the "
    "connection itself. Unset it. If another proxy stands in front, name it in DEPLOYKIT['PROXY'].",
    deploy=True,
)
SHADOWED_ROUTE = _warning(58, "Rename one of the two; the web server's file wins.")
OUTSIDE_PREFIX = _warning(
    59, "Use a URL name or a relative URL, so that the prefix is put in front."
)
COOKIE_PATH = _warning(60, "Set it to the prefix, so that other sites on the host cannot see it.")
CSRF_ORIGIN = _warning(61, "Write it with the scheme that browsers see, or remove it.", deploy=True)
HSTS_WITHOUT_TLS = _warning(
    62,
    "Browsers ignore HSTS over plain HTTP; give DEPLOYKIT['SITE']['TLS'], or say in "
    "DEPLOYKIT['PROXY'] which proxy ends TLS.",
    deploy=True,
)
SECRET_FILE_MODE = _warning(
    63, "Run chmod 640 on it; the web server's group may read it.", deploy=True
)
MEDIA_SERVED_ELSEWHERE = _warning(
    64,
    "Set DEPLOYKIT['SITE']['MEDIA'] = 'none' if that is meant; nothing is emitted for it.",
    deploy=True,
)
OTHER_SETTINGS = _warning(
    65,
    "Run this command with --settings and the module that the site is to run. If it is the one "
    "read here, name it in the WSGI module too: only the script that --output writes forces it.",
    deploy=True,
)
RELATIVE_PATH = _warning(66, "Write an absolute path: BASE_DIR / '...'.", deploy=True)
BAD_URLCONF = _warning(67, "'manage.py check' shows what is wrong with it.", deploy=True)
NO_PROXY_MIDDLEWARE = _warning(
    68,
    "Put it first, also if wrap() stands in front of Django: it finds that decision.",
)
PROXY_MIDDLEWARE_LATE = _warning(
    69, "Put it first: what comes before sees what a client may have written."
)
BELIEVED_TWICE = _warning(
    70, "Unset it: DEPLOYKIT['PROXY'] and the emitted configuration say whom to believe."
)
SERVER_BELIEVES = _warning(
    71, "Unset it, or allow nobody: who believes last must be the only one.", deploy=True
)
ANY_PREFIX = _warning(72, "Name the prefixes of the site in 'ALLOWED'.", deploy=True)
NO_WEBSOCKETS = _warning(
    73,
    "List their URLs in DEPLOYKIT['SITE']['WEBSOCKETS']; without them, no websocket gets through.",
    deploy=True,
)
HOST_REFUSED = _warning(
    74,
    "List it in ALLOWED_HOSTS too, or leave it out here: Django goes by ALLOWED_HOSTS.",
    deploy=True,
)
REMOTE_USER_UNDER_ASGI = _warning(
    81, "Use ProxyIdentityMiddleware, which believes a trusted proxy's header alone.", deploy=True
)
KEY_UNDER_ASGI = _warning(82, "Name a header, and trust the proxy that sends it.", deploy=True)
CACHE_NOT_SHARED = _warning(
    91, "Name a cache that all processes reach, such as Redis, or None.", deploy=True
)
ENDPOINT_REDIRECTED = _warning(
    92,
    "Add it to SECURE_REDIRECT_EXEMPT, and let the web server send clients to HTTPS and 'www.'.",
    deploy=True,
)
KEYS_CHANGE = _warning(
    93,
    "Until they are gone, whoever was logged in before has to do so again.",
    deploy=True,
)
GROUPS_ALIKE = _warning(94, "Rename all but one of them.")
UNKNOWN_POLICY = _warning(
    95, "Name one in DEPLOYKIT['AUTH']['POLICIES'], or spell out a rule.", deploy=True
)
ABOVE_SENDFILE = _warning(
    101,
    "List SendfileMiddleware above it, so that nothing changes a file once it is handed over.",
)
