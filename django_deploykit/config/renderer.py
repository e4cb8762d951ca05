"""What every renderer has in common: a plan comes in; text, warnings and needs go out.

A renderer never reads settings, never looks at the disk and never writes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from django_deploykit.config.deployment import Deployment
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Logs, Plan, Service
from django_deploykit.config.syntax.printer import Line
from django_deploykit.exceptions import CannotRun

# The reason under which a plan's own script is needed: it may not exist yet.
SCRIPT = "the entry script"


@dataclass(frozen=True)
class Access:
    """A path that the web server's processes must be able to read (or also to write); nobody
    else may where it is ``private``."""

    path: Path
    why: str
    write: bool = False
    private: bool = False

    @property
    def mode(self) -> str:
        """The mode of such a directory: a private one is open to the server's group alone."""
        return "0750" if self.private else "0755"


def site_access(plan: Plan, site: SiteFacts) -> list[Access]:
    """What the processes that serve a site read and write."""
    found = [
        Access(site.application.root, "the application's code"),
        *(Access(path, "the application's code") for path in site.application.elsewhere),
        Access(plan.python(site), "the interpreter"),
        Access(plan.script(site), SCRIPT),
    ]
    found += [Access(mount.directory, "static files") for mount in plan.static_mounts(site)]
    if site.media:
        found.append(Access(site.media.directory, "uploaded files", write=True))
    closed = [site.closed_uploads] if site.closed_uploads else []
    private = [(mount.directory, "protected files") for mount in site.protected]
    private += [(path.parent, "the SQLite database") for path in site.databases]
    private += [(path, "files of a storage") for path in site.stored]
    private += [(path, "uploaded files") for path in closed if path not in dict(private)]
    found += [Access(path, why, write=True, private=True) for path, why in private]
    found += [Access(file.path, "a file at the root") for file in site.root_files]
    if site.application.env_file:
        found.append(Access(site.application.env_file, "the environment file"))
    guarded = [area.directory for area in site.areas if area.directory]
    found += [Access(directory, "guarded files") for directory in guarded]
    if site.documents:
        found.append(Access(site.documents, "documents"))
    return found


@dataclass(frozen=True)
class Needs:
    """What must be true on the host besides the emitted text.

    ``modules`` are the server's own names, ``packages`` those of Debian, ``steps`` shell
    commands for things that the text takes for granted, ``remarks`` what to know when it runs.
    """

    modules: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    access: tuple[Access, ...] = ()
    steps: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """One emitted file. ``filename`` is relative to the written set."""

    filename: str
    lines: tuple[Line, ...]
    comment: str = "#"
    mode: int = 0o644
    warnings: tuple[str, ...] = ()
    needs: Needs = field(default_factory=Needs)

    @property
    def text(self) -> str:
        return "".join(f"{line.text}\n" for line in self.lines)


@dataclass(frozen=True, kw_only=True)
class Foreground:
    """How to run a rendered server, or only to check it, out of a directory of its own.

    ``files`` (name: text) complete what was rendered; ``command`` stays in the foreground,
    ``check`` ends with a status. Both are argument lists. ``environment`` is added to that of
    the server's processes. ``drops`` tells that the server, started as root, drops to its user
    by itself.
    """

    files: dict[str, str]
    command: tuple[str, ...]
    check: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    drops: bool = True


class Renderer(ABC):
    """Turns a plan into the text of one target. Subclasses are found by :mod:`.stack`."""

    name: ClassVar[str]
    summary: ClassVar[str]
    gateways: ClassVar[tuple[str, ...]]
    # What an application server speaks to a front; and whether it can do without one.
    protocols: ClassVar[tuple[str, ...]] = ()
    # Those of its protocols over which the front itself starts it: nobody else has to.
    spawned: ClassVar[tuple[str, ...]] = ()
    stands_alone: ClassVar[bool] = False
    # A front's gateways that write the host into the path; None for what is no front.
    path_hosts: ClassVar[tuple[str, ...] | None] = None
    # Those of a front's gateways with several application servers.
    balancing: ClassVar[tuple[str, ...]] = ()
    # The account, and the group of that name, as which Debian runs a front.
    account: ClassVar[str] = "www-data"
    # Whether a front asks application servers how they are, with a Host that Django accepts.
    asks_health: ClassVar[bool] = False
    # Those of a front's gateways with which URLs have processes of their own (SITE["POOLS"]).
    pooling: ClassVar[tuple[str, ...]] = ()
    # Those of a front's gateways with which it writes SITE["AUTH_AREAS"].
    guards: ClassVar[tuple[str, ...]] = ()
    # Those of them with which it asks an authorizer, whether it can over a unix socket, and whether
    # an endpoint of the project serves as well.
    asks: ClassVar[tuple[str, ...]] = ()
    asks_over_sockets: ClassVar[bool] = True
    asks_endpoints: ClassVar[bool] = False
    # False for a front that sends no files by itself.
    sends_files: ClassVar[bool] = True
    # How it, or what it stands for, calls Python.
    interface: ClassVar[str] = "wsgi"
    # False for an application server that needs a front.
    answers_clients: ClassVar[bool] = True
    # True for a service, or platform, that runs an application server; what a front server says
    # of its logs.
    runs_app_server: ClassVar[bool] = False
    logs: ClassVar[Logs | None] = None
    # True for a platform: what is written is for an image, and nothing of it for this host.
    in_container: ClassVar[bool] = False

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.deployment = plan.deployment

    @classmethod
    def installed(cls, deployment: Deployment) -> Deployment:
        """Fill versions that were not named with those installed here."""
        return deployment

    @classmethod
    def misfits(cls, plan: Plan) -> Sequence[str]:
        """Warnings of what is installed here and could not run what ``plan`` says."""
        return ()

    @classmethod
    def companions(cls, plan: Plan) -> Sequence[tuple[str, Plan]]:
        """The other targets of this stack, by name, each with the plan it is rendered from."""
        return ()

    @classmethod
    def accompanies(cls, stack: Plan, sites: Sequence[Plan]) -> Sequence[Plan]:
        """For a service: the plans, of a whole written stack or its sites, that it belongs to."""
        return ()

    @abstractmethod
    def render(self) -> Rendered:
        """Render. Raise UnrepresentableValue or ChoiceError where no correct text exists."""

    def foreground(self, directory: Path, user: str | None) -> Foreground:
        """How to run what was rendered into ``directory``, dropping to ``user`` if given.

        Raise CannotRun where this machine lacks the server, or has one that does not fit.
        """
        raise CannotRun(
            f"target {self.name!r} is not something that runs by itself, and has no checker. "
            "To run the project here, name a server, or none: manage.py deployrun"
        )

    @property
    def reload(self) -> str:
        """The signal on which it loads the application anew and loses no request, if any."""
        return ""

    def service(self) -> Service | None:
        """How a service manager runs this application server; None where the front starts it.

        Unless a server says otherwise, what it renders is a program in Python.
        """
        site = self.plan.sites[0]
        program = self.plan.emitted(site, self.render().filename)
        return Service(
            command=(str(self.plan.python(site)), str(program)),
            stop_seconds=self.deployment.request_timeout,
            reload=self.reload,
        )
