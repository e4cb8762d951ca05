"""What is to be served, how, and where the written files will lie: all that a renderer gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from django_deploykit import contract
from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import Mount, Pool, SiteFacts
from django_deploykit.config.values import Address, Backend
from django_deploykit.exceptions import ChoiceError


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be served, how, and where the written files will lie on the server.

    ``stands_alone`` says that no web server stands in front of the application server, which is
    otherwise named by ``app_server``; without both, the front runs Python itself. ``interface``
    is how Python is called, "wsgi" or "asgi". ``front_sends_files`` says whether the web server
    answers for static files.
    ``sockets`` is a directory for sockets in place of the usual ones. ``service`` is how the
    application server of the only site runs, ``logs`` how the front keeps its logs: the services
    of a stack are rendered from them.
    ``in_container`` says that paths are those of an image, of which a cluster runs several.
    ``authorizers`` holds, by the names of sites, where the front asks who may enter their areas;
    ``beside`` the plans by which those authorizers run as services.
    ``pool`` says that it is for the processes of one pool of a site, not for those of the rest.
    ``path_host`` stands in front of every path that the front sends on (:mod:`.path_hosts`).
    Without a ``directory`` only one text is wanted (it is printed, not written), and the
    project's own wsgi.py stands in for the emitted script wherever it can.
    """

    sites: tuple[SiteFacts, ...]
    deployment: Deployment
    label: str
    gateway: str
    directory: Path | None = None
    stands_alone: bool = False
    app_server: str = ""
    interface: str = "wsgi"
    front_sends_files: bool = True
    sockets: Path | None = None
    path_host: str = ""
    in_container: bool = False
    service: Service | None = None
    logs: Logs | None = None
    authorizers: Mapping[str, Path | Address] = field(default_factory=dict)
    beside: tuple[Plan, ...] = ()
    pool: Pool | None = None

    @property
    def front(self) -> str:
        """The target whose stack this is: the first part of its label."""
        return self.label.partition("/")[0]

    @property
    def finds_files(self) -> bool:
        """Whether the front looks for a file at every URL, and asks Django where there is none."""
        return self.deployment.static_lookup == "file"

    def name(self, site: SiteFacts) -> str:
        """What application processes of ``site`` are called in files, sockets and units."""
        return contract.pool_name(site.name, self.pool.name) if self.pool else site.name

    def of_pool(self, pool: Pool) -> Plan:
        """The same plan for the processes of a pool, which never share the site's socket."""
        chosen = {"socket": None, **dict(pool.choices)}
        return replace(self, pool=pool, deployment=replace(self.deployment, **chosen))

    def with_pools(self, site: SiteFacts) -> list[Plan]:
        """This plan, and the same for each pool of ``site``."""
        return [self, *map(self.of_pool, site.pools)]

    def each(self) -> list[Plan]:
        """This plan for each of its sites alone, and for each of their pools."""
        return [part.for_site(site) for site in self.sites for part in self.with_pools(site)]

    def at(self, site: SiteFacts, url: str) -> Plan:
        """The plan for those processes of ``site`` that answer ``url``."""
        below = f"{url.rstrip('/')}/"
        return next((self.of_pool(one) for one in site.pools if below.startswith(one.url)), self)

    def socket(self, site: SiteFacts) -> Path | Address:
        """Where the front server meets the application server of ``site``."""
        if self.sockets and self.deployment.socket is None:
            return self.sockets / f"{self.name(site)}.sock"
        return self.deployment.socket or Path(contract.socket_path(self.name(site)))

    def socket_address(self, site: SiteFacts) -> str | tuple[str, int]:
        """The same, as Python's sockets take it."""
        found = self.socket(site)
        return (found.host, found.port) if isinstance(found, Address) else str(found)

    def asking(self) -> list[SiteFacts]:
        """The sites with areas about which the front asks an authorizer."""
        return [site for site in self.sites if site.name in self.authorizers]

    def backends(self, site: SiteFacts) -> tuple[Backend, ...]:
        """The application servers of ``site``, in the order in which they were named."""
        return self.deployment.backends or (Backend(where=self.socket(site)),)

    @property
    def balances(self) -> bool:
        """Whether requests are spread over several application servers."""
        return len(self.deployment.backends) > 1

    @property
    def sticks(self) -> bool:
        """Whether a client stays with one of them."""
        return self.balances and self.deployment.sticky

    @property
    def runs_application(self) -> bool:
        """Whether an application server of this stack runs on this host: the one at ``socket``,
        unless ``backends`` names others alone."""
        named = [one.where for one in self.deployment.backends]
        return not named or any(self.socket(site) in named for site in self.sites)

    def websockets(self, site: SiteFacts) -> tuple[str, ...]:
        """The paths below the prefix where ``site`` takes websockets, if they get that far.

        A path with a slash at its end stands for all below it.
        """
        return site.websockets if self.interface == "asgi" else ()

    def script(self, site: SiteFacts) -> Path:
        """The entry script that the server is to load for ``site``."""
        if self.uses_emitted_script(site) or site.application.wsgi_file is None:
            return self.emitted(site, script_name(self, site))
        return site.application.wsgi_file

    def emitted(self, site: SiteFacts, name: str) -> Path:
        """Where a file of the written set lies on the server."""
        return (self.directory or site.application.root / "deploy") / name

    def python(self, site: SiteFacts) -> Path:
        """The interpreter of the environment with the project's packages."""
        if home := self.deployment.python_home:
            return home / "bin/python"
        return site.interpreter.prefix / "bin" / site.interpreter.program

    def uses_emitted_script(self, site: SiteFacts) -> bool:
        """Tell whether the emitted script is needed: whenever files are written, and wherever
        the project's own wsgi.py would not do: it forces no settings module, reads no
        environment file and knows no prefix that settings leave out, or SITES replaces. With
        WhiteNoise it does not know any: that reads STATIC_URL before the first request has brought
        the prefix, and Django keeps what it read."""
        return bool(
            self.directory
            or self.stands_alone
            or self.app_server
            or self.interface == "asgi"
            or len(self.sites) > 1
            or site.application.env_file
            or (site.application.wsgi and not site.application.wsgi_file)
            or not site.prefix_is_known
            or (site.prefix and site.whitenoise)
        )

    def static_mounts(self, site: SiteFacts) -> tuple[Mount, ...]:
        """The static files to serve, a longer URL before one that contains it."""
        if site.static is None:
            return ()
        admin = site.admin_static if self.deployment.admin_static == "alias" else None
        if admin and site.static.hashed:
            raise ChoiceError(
                f"{site.name}: admin_static='alias' serves the admin's files from its package, "
                "but the manifest storage links to hashed names, which only collectstatic makes."
            )
        mounts = [admin, *site.static.mounts] if admin else site.static.mounts
        distinct = {mount.url: mount for mount in reversed(mounts)}
        return tuple(sorted(distinct.values(), key=lambda mount: (-len(mount.url), mount.url)))

    def for_site(self, site: SiteFacts) -> Plan:
        """The same plan for one of its sites."""
        return replace(self, sites=(site,))


def script_name(plan: Plan, site: SiteFacts) -> str:
    """Where the entry script of a site lies in the written set: beside the text of its own stack,
    so that another stack in the same directory has another script."""
    # Not the bare name: that is often the project's package, which a module must not hide.
    return f"{plan.front}/{site.name}_{plan.interface}.py"


@dataclass(frozen=True, kw_only=True)
class Service:
    """How a service manager runs an application server.

    ``command`` is an argument list and stays in the foreground. ``reload`` is the signal on which
    the application is loaded anew and no request is lost, if there is one. ``notifies`` tells
    that the server says when it is ready (sd_notify(3)), ``takes_socket`` that it listens on a
    socket it is handed (sd_listen_fds(3)). ``stop_seconds`` is how long it lets running requests
    end when it is stopped. ``what`` it is stands in descriptions, ``kind`` in the names of its
    units; ``address`` is where it listens, if that is not where the front meets the application.
    """

    command: tuple[str, ...]
    stop_seconds: int
    reload: str = ""
    notifies: bool = False
    takes_socket: bool = False
    what: str = "the application server"
    kind: str = "django"
    address: Path | Address | None = None


@dataclass(frozen=True, kw_only=True)
class Logs:
    """How a front server keeps its logs: whose their directory is, and the shell command that
    makes it open them anew without losing a request, except with the gateways ``costly``."""

    owner: str
    group: str
    reopen: str
    costly: tuple[str, ...] = ()
