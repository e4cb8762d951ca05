"""A systemd unit for the application server of a site, in a sandbox.

Manuals: systemd.service(5), systemd.exec(5), systemd.kill(5).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from django_deploykit import contract
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan, Service
from django_deploykit.config.renderer import Access, Needs, Rendered, Renderer, site_access
from django_deploykit.config.services.accounts import group, unit_name, user
from django_deploykit.config.syntax import systemd
from django_deploykit.config.syntax.nodes import (
    Comment,
    Glob,
    Node,
    Option,
    Raw,
    directive,
)
from django_deploykit.config.syntax.printer import Dialect
from django_deploykit.config.values import Address
from django_deploykit.exceptions import ChoiceError

dialect = cast(Dialect, systemd)

# How much longer than the server itself the manager waits for the end of running requests.
_GRACE = 15

# What no web application needs. The weights are those of `systemd-analyze security`.
_SANDBOX = {
    "NoNewPrivileges": ("yes", "no set-uid program raises what the application may do"),
    "CapabilityBoundingSet": ("", "no capability, whatever happens"),
    "AmbientCapabilities": ("", "none to begin with either"),
    "PrivateTmp": ("yes", "temporary files of its own: nobody else's, and no link traps"),
    "PrivateDevices": ("yes", "no hardware, only /dev/null and its like"),
    "DevicePolicy": ("closed", "the same, by the kernel's device control"),
    "PrivateMounts": ("yes", "what is mounted for it is mounted for nobody else"),
    "PrivateUsers": ("yes", "other accounts' numbers mean nothing to it"),
    "PrivateIPC": ("yes", "no shared memory with other services"),
    "ProtectClock": ("yes", "the clock is not its own"),
    "ProtectControlGroups": ("yes", "nor the resource limits"),
    "ProtectHostname": ("yes", "nor the host's name"),
    "ProtectKernelLogs": ("yes", "nor the kernel's log"),
    "ProtectKernelModules": ("yes", "nor its modules"),
    "ProtectKernelTunables": ("yes", "nor its settings"),
    "ProtectProc": ("invisible", "no other user's processes in /proc"),
    "KeyringMode": ("private", "no keys of other services"),
    "LockPersonality": ("yes", "no execution domain from another age"),
    "RemoveIPC": ("yes", "nothing stays in shared memory"),
    "RestrictNamespaces": ("yes", "no new namespaces, where the kernel's holes are"),
    "RestrictRealtime": ("yes", "no priority that starves the host"),
    "RestrictSUIDSGID": ("yes", "no upload becomes a set-uid program"),
    "RestrictAddressFamilies": (
        "AF_UNIX AF_INET AF_INET6",
        "databases, mail and HTTP, but no raw packets",
    ),
    "SystemCallArchitectures": ("native", "no second, less watched, way into the kernel"),
    "SystemCallFilter": ("@system-service", "what services use"),
    "SystemCallFilter ": ("~@privileged @resources", "less what is root's, and priorities"),
    "SystemCallErrorNumber": ("EPERM", "a refused call fails as it does without a sandbox"),
}

# Where people's own files lie (systemd.exec(5), ProtectHome=).
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
# PrivateDevices= leaves it as it is.
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - asked about, not used
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - asked about, not used


class SystemdServiceRenderer(Renderer):
    """A service unit for the application server of one site: sandboxed, restarted, reloadable."""

    name = "systemd-service"
    summary = "a sandboxed systemd service for an application server"
    gateways = ("http", "uwsgi", "fastcgi", "scgi")
    runs_app_server = True

    @classmethod
    def accompanies(cls, stack: Plan, sites: Sequence[Plan]) -> Sequence[Plan]:
        return [*(plan for plan in sites if plan.service), *stack.beside]

    def render(self) -> Rendered:
        site, service = only_site(self.plan, self.name)
        sections: list[tuple[str, list[Node]]] = [
            ("Unit", self._unit(site, service)),
            ("Service", self._service(site, service)),
            ("Install", [directive("WantedBy", "multi-user.target", why="started with the host")]),
        ]
        head = Comment(
            f"{self.plan.name(site)}: {service.what} of {self.plan.label}, for systemd 247+"
        )
        return Rendered(
            filename=f"systemd/{unit_name(self.plan, site, service.kind)}.service",
            lines=tuple(systemd.unit_lines(dialect, [head], sections)),
            warnings=tuple(self._warnings(site, service)),
            needs=Needs(access=tuple(self._access(site))),
        )

    def _unit(self, site: SiteFacts, service: Service) -> list[Node]:
        nodes: list[Node] = [
            directive(
                "Description", description(self.plan, site, service), why="for lists and logs"
            ),
            directive("After", "network.target", why="on shutdown, it ends before the network"),
        ]
        if service.takes_socket:
            socket = f"{unit_name(self.plan, site, service.kind)}.socket"
            why = "it listens there, before and after this service runs"
            return [*nodes, *(directive(name, socket, why=why) for name in ("Requires", "After"))]
        return [*nodes, *self._network(site, service)]

    def _network(self, site: SiteFacts, service: Service) -> list[Node]:
        """A wait for the address that the server binds itself."""
        addresses = listens(self.plan, site, service)
        if not any(isinstance(one, Address) and one.is_on_a_network for one in addresses):
            return []
        why, setting = "the host has its address only then", listens_by(self.plan, service)
        unit = "network-online.target"
        return [directive(name, unit, why=why, setting=setting) for name in ("Wants", "After")]

    def _service(self, site: SiteFacts, service: Service) -> list[Node]:
        return [
            *self._start(service),
            *self._end(service),
            Comment("The site"),
            *self._account(),
            directive(
                "WorkingDirectory",
                str(site.application.root),
                why="relative paths begin at the project",
                setting="BASE_DIR",
            ),
            *self._environment(site),
            Comment("What it may write; everything else is read-only or hidden."),
            *self._files(site, service),
            Comment("What no web application needs"),
            *_sandbox(),
        ]

    def _start(self, service: Service) -> list[Node]:
        ready = "the server says itself when it is ready"
        begun = "started means that the program runs; the server says no more"
        return [
            directive(
                "Type",
                "notify" if service.notifies else "exec",
                why=ready if service.notifies else begun,
            ),
            directive(
                "ExecStart", *service.command, why="this stack's own file", setting="sys.prefix"
            ),
        ]

    def _end(self, service: Service) -> list[Node]:
        nodes: list[Node] = []
        if service.reload:
            kill = Raw(f"/bin/kill -s {service.reload} $MAINPID")
            nodes.append(directive("ExecReload", kill, why="new code, and no request is lost"))
        return [
            *nodes,
            directive("KillMode", "mixed", why="the server ends its workers itself"),
            directive(
                "TimeoutStopSec",
                service.stop_seconds + _GRACE,
                why="running requests may end first",
                setting="request_timeout",
            ),
            directive("Restart", "always", why="whatever ended it, it comes back"),
            directive("RestartSec", 1, why="not in a tight loop"),
        ]

    def _account(self) -> list[Node]:
        deployment = self.deployment
        nodes: list[Node] = [
            directive("User", user(deployment), why="never root", setting="user"),
        ]
        if own := group(deployment):
            why = "the front reads what it uploads, and nobody else"
            nodes.append(directive("Group", own, why=why, setting="group"))
            return [*nodes, directive("UMask", "0027", why=why)]
        why = "the front, which is not in its group, reads what it uploads"
        return [*nodes, directive("UMask", "0022", why=why)]

    def _environment(self, site: SiteFacts) -> list[Node]:
        locale = self.deployment.locale
        nodes: list[Node] = [
            _variable(contract.STACK_KEY, self.plan.label, "which front may be believed", ""),
            _variable(
                "DJANGO_SETTINGS_MODULE",
                site.application.settings_module,
                "the entry script assigns the same",
                "DJANGO_SETTINGS_MODULE",
            ),
            *(
                _variable(name, locale, "any file name can be stored", "locale")
                for name in ("LANG", "LC_ALL")
            ),
        ]
        if site.application.env_file:
            path = Glob(str(site.application.env_file))
            why, setting = "secrets, which no emitted file holds", "DEPLOYKIT['SITE']['ENV_FILE']"
            nodes.append(directive("EnvironmentFile", path, why=why, setting=setting))
        return nodes

    def _files(self, site: SiteFacts, service: Service) -> list[Node]:
        read_only = "no file changes, but for those named here"
        nodes: list[Node] = [directive("ProtectSystem", "strict", why=read_only)]
        for path, why in self._writable(site, service).items():
            nodes.append(directive("ReadWritePaths", str(path), why=why, setting=why))
        used = [*self._used(site), *self._makes(site, service)]
        at_home = any(_below(path, _HOMES) for path in used)
        why = "parts of this site lie there" if at_home else "nothing of this site lies there"
        mode = "read-only" if at_home else "yes"
        return [*nodes, directive("ProtectHome", mode, why=why)]

    def _writable(self, site: SiteFacts, service: Service) -> dict[Path, str]:
        found = {one.path: one.why for one in self._access(site) if one.write}
        return {**found, **{path.parent: "socket" for path in self._makes(site, service)}}

    def _makes(self, site: SiteFacts, service: Service) -> list[Path]:
        """The socket that the server makes itself, if it has a path."""
        addresses = [] if service.takes_socket else listens(self.plan, site, service)
        return [one for one in addresses if isinstance(one, Path)]

    def _access(self, site: SiteFacts) -> list[Access]:
        """What the site reads and writes, with its caches: Django would make their directories,
        but may not here, unless it may write around them."""
        known = site_access(self.plan, site)
        open_to_it = [*_TEMPORARY, _SHARED_MEMORY, *(one.path for one in known if one.write)]
        caches = [path for path in site.caches if not _below(path, open_to_it)]
        return [*known, *(Access(path, "a cache", write=True, private=True) for path in caches)]

    def _used(self, site: SiteFacts) -> list[Path]:
        base = [site.interpreter.base] if site.interpreter.base else []
        return [*base, *(one.path for one in self._access(site))]

    def _warnings(self, site: SiteFacts, service: Service) -> Iterator[str]:
        for address in listens(self.plan, site, service):
            if isinstance(address, Path) and _below(address, _TEMPORARY):
                yield (
                    f"{self.plan.name(site)}: {listens_by(self.plan, service)}: {str(address)!r}: "
                    "the service has a /tmp of its own, and a front may have one too, as Debian's "
                    "Apache has: they would not meet. Choose a path elsewhere."
                )
        if self.plan.pool:
            return  # The rest has been said of its site.
        for hidden in sorted({str(path) for path in self._used(site) if _below(path, _TEMPORARY)}):
            yield (
                f"{site.name}: {hidden!r} is hidden from the service, which has a /tmp of its own. "
                "Move it elsewhere."
            )
        yield from self._refused(site, service)

    def _refused(self, site: SiteFacts, service: Service) -> Iterator[str]:
        """What settings ask for, and the sandbox does not allow."""
        writable = [_SHARED_MEMORY, *self._writable(site, service)]
        unit = f"{unit_name(self.plan, site, service.kind)}.service"
        for setting, path in site.writes:
            if path not in _TEMPORARY and not _below(path, writable):
                yield (
                    f"{site.name}: {setting}: {unit} may not write to {str(path)!r}. Name another "
                    "place, or allow it with ReadWritePaths= (docs/howto/systemd.md)."
                )
        for setting in site.special_modes:
            yield (
                f"{site.name}: {setting}: the service may set no set-user-ID or set-group-ID bit, "
                "and uploads would fail. Leave it out: a directory takes over the set-group-ID "
                "bit of the one that it is made in."
            )


def listens(plan: Plan, site: SiteFacts, service: Service) -> Sequence[Path | Address]:
    """Where a service answers."""
    if service.address:
        return [service.address]
    return plan.deployment.listen if plan.stands_alone else [plan.socket(site)]


def listens_by(plan: Plan, service: Service) -> str:
    """The choice that says so."""
    if service.address:
        return "authorizer"
    return "listen" if plan.stands_alone else "socket"


def only_site(plan: Plan, target: str) -> tuple[SiteFacts, Service]:
    """The site of a unit and how it runs. Raise ChoiceError where there is not one of each."""
    if len(plan.sites) > 1:
        names = ", ".join(site.name for site in plan.sites)
        raise ChoiceError(
            f"target {target!r}: the sites {names} have a unit each. Write the whole stack: "
            "'manage.py deployconfig nginx --output DIRECTORY'."
        )
    if plan.service is None:
        raise ChoiceError(f"target {target!r}: there is no application server to run.")
    return plan.sites[0], plan.service


def description(plan: Plan, site: SiteFacts, service: Service) -> str:
    """What runs, for people."""
    what = "" if service.kind == "django" else f", {service.what}"
    return f"Django site {plan.name(site)}{what}"


def _sandbox() -> list[Node]:
    return [directive(name.strip(), Raw(value), why=why) for name, (value, why) in _SANDBOX.items()]


def _variable(name: str, value: str, why: str, setting: str) -> Node:
    return directive("Environment", Option(name, value), why=why, setting=setting)


def _below(path: Path, places: Sequence[Path]) -> bool:
    return any(path.is_relative_to(place) for place in places)
