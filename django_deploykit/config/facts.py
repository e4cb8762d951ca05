"""What is true of a site under any web server, read from Django once and never changed.

No field here is named after a server: facts end where a server's word begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Application:
    """The code to run: dotted names, and where it lies on disk. ``elsewhere`` is what of it lies
    neither in ``root`` nor in the interpreter's own directories.

    ``wsgi_file`` is there only if a server can load that very file, run as a script: it binds
    the name ``application``, imports nothing relative to itself, and names these settings.
    """

    settings_module: str
    wsgi: str | None
    wsgi_file: Path | None
    asgi: str | None
    root: Path
    elsewhere: tuple[Path, ...] = ()
    env_file: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """The Python that has the project's packages: ``sys.prefix`` and what belongs to it.

    ``program`` is its file in ``bin``; ``base`` is where the Python lies that a virtual environment
    was made from.
    """

    prefix: Path
    packages: Path
    version: tuple[int, int]
    base: Path | None = None
    program: str = "python"


@dataclass(frozen=True, kw_only=True)
class Hosts:
    """The names a site answers to, in order: exact ones, ``.suffixes``, or ``*`` for any."""

    names: tuple[str, ...]
    setting: str = "ALLOWED_HOSTS"

    @property
    def exact(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if name != "*" and not name.startswith("."))

    @property
    def suffixes(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if name.startswith("."))

    @property
    def anything(self) -> bool:
        return "*" in self.names


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A directory below a URL; ``url`` begins and ends with a slash."""

    url: str
    directory: Path
    setting: str


@dataclass(frozen=True, kw_only=True)
class Area:
    """A URL, with all below it, for those alone for whom a policy of the project holds.

    With a ``directory`` the server answers it with those files; else it guards whatever answers
    there. ``url`` begins and ends with a slash.
    """

    url: str
    policy: str
    setting: str
    directory: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A URL, with all below it, that has application processes of its own.

    ``url`` begins and ends with a slash. ``choices`` are those in which these processes differ
    from the others of the site, by name.
    """

    url: str
    name: str
    setting: str
    choices: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A URL at which Django says, with 200, 401 or 403, for whom a policy holds."""

    url: str
    policy: str


@dataclass(frozen=True, kw_only=True)
class DatabaseServer:
    """One of DATABASES that is asked over a connection: ``server`` tells those apart that lie on
    different servers. With a ``pool`` no process has more connections than that."""

    alias: str
    server: str
    pool: int | None = None


@dataclass(frozen=True, kw_only=True)
class RootFile:
    """A single file at a URL, such as ``/robots.txt``."""

    url: str
    path: Path


@dataclass(frozen=True, kw_only=True)
class StaticFiles:
    """Collected static files: hashed names are immutable, ``twins`` lie compressed beside."""

    mounts: tuple[Mount, ...]
    hashed: bool = False
    twins: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tls:
    """A certificate (with chain) and key, and the directory of ACME http-01 answers."""

    certificate: Path
    key: Path
    acme_webroot: Path


@dataclass(frozen=True, kw_only=True)
class SecurityHeaders:
    """The response headers Django's SecurityMiddleware would set; None where it sets none."""

    hsts: str | None = None
    nosniff: bool = False
    referrer_policy: str | None = None
    opener_policy: str | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Sizes in bytes that Django itself enforces; None means without limit."""

    upload_memory: int | None = None


@dataclass(frozen=True, kw_only=True)
class SiteFacts:
    """Everything about one site that a web server must know.

    ``media`` are uploads that it hands to anybody; those that it does not lie in
    ``closed_uploads``, and what other storages of the project keep on this machine in ``stored``.
    ``writes`` are further directories that settings, which stand before them, have the application
    write to; ``special_modes`` are those settings that give uploads a set-user-ID or set-group-ID
    bit.
    """

    name: str
    application: Application
    interpreter: Interpreter
    hosts: Hosts
    prefix: str = ""
    prefix_setting: str = "FORCE_SCRIPT_NAME"
    prefix_is_known: bool = True
    routes: tuple[str, ...] = ()
    pools: tuple[Pool, ...] = ()
    websockets: tuple[str, ...] = ()
    documents: Path | None = None
    static: StaticFiles | None = None
    media: Mount | None = None
    closed_uploads: Path | None = None
    protected: tuple[Mount, ...] = ()
    stored: tuple[Path, ...] = ()
    stores: tuple[str, ...] = ()
    areas: tuple[Area, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    login_url: str = ""
    databases: tuple[Path, ...] = ()
    caches: tuple[Path, ...] = ()
    writes: tuple[tuple[str, Path], ...] = ()
    special_modes: tuple[str, ...] = ()
    database_servers: tuple[DatabaseServer, ...] = ()
    root_files: tuple[RootFile, ...] = ()
    tls: Tls | None = None
    redirect_exempt: tuple[str, ...] = ()
    headers: SecurityHeaders = SecurityHeaders()
    limits: Limits = Limits()
    needs_authorization: bool = False
    believes_proxies: bool = False
    environ: tuple[tuple[str, str], ...] = ()
    admin_static: Mount | None = None
    whitenoise: bool = False

    @property
    def uploads(self) -> Path | None:
        """The directory in which this machine keeps uploads, whoever may read them."""
        return self.media.directory if self.media else self.closed_uploads

    @property
    def mounts(self) -> list[str]:
        """The URLs at and below which it answers, without a slash at the end."""
        return [f"{self.prefix}{route.rstrip('/')}" for route in self.routes] or [self.prefix]

    @property
    def whole_host(self) -> bool:
        """Whether it answers every URL of its host that nothing else has."""
        return not self.prefix and not self.routes

    @property
    def has_endpoints(self) -> bool:
        """Whether Django itself can be asked about each of its areas."""
        return all(self.endpoint(area.policy) for area in self.areas)

    def endpoint(self, policy: str) -> Endpoint | None:
        """Where Django is asked for whom a policy holds, if anywhere."""
        return next((one for one in self.endpoints if one.policy == policy), None)
