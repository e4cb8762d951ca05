"""The decision on one request, with every step to it; and the refusal of one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple

# Below Django's own, so that whoever handles that one gets these.
logger = logging.getLogger("django.security.deploykit")
# record(Client, (…)) is Client(…) without a call in Python: what each request makes is made so.
record = tuple.__new__


class Refused(Exception):
    """A request that is not answered: 400 for what makes no sense, 404 for what is not there."""

    def __init__(self, status: int, reason: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(status, reason)

    def __str__(self) -> str:
        return self.reason

    @property
    def phrase(self) -> str:
        """The words of HTTP for the status."""
        return HTTPStatus(self.status).phrase

    def log(self) -> None:
        """Say why, but for paths that are not there: whoever looks for some would fill the log."""
        if self.status != HTTPStatus.NOT_FOUND:
            logger.warning("Refused a request: %s.", self)


class Peer(NamedTuple):
    """Who connected, as far as the server knows: an address, or '' for none.

    ``is_unix`` is True only where the server's own socket shows it. ``speaks_http`` is True
    where the server took headers off the connection, so that it is no gateway's. ``scheme`` is the
    connection's own.
    """

    address: str = ""
    is_unix: bool = False
    speaks_http: bool = False
    scheme: str = "http"

    def __str__(self) -> str:
        return self.address or ("a unix socket" if self.is_unix else "unknown")


class Verdict(NamedTuple):
    """Whether a peer is trusted, and why; and whether its headers count.

    They do not where only a gateway is trusted: it passes the client's headers on.
    """

    trusted: bool
    speaks: bool
    reason: str


class Step(NamedTuple):
    """One thing that was decided: what it is, its value, and why it is that."""

    what: str
    value: object
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {self.value} ({self.why})"


# What is asked for, as text: where the application is mounted, the path below that, and what stood
# in the request line, its query with it where the server says so, '' where it says nothing. A plain
# tuple, for two of them are made in many a request.
Target = tuple[str, str, str]


class Client(NamedTuple):
    """The client, if it could be told, and the proxies between, nearest first.

    ``depth`` counts from the right the entry that names it: the request's other lists are read
    at the same one.
    """

    address: str
    verified: bool = True
    hops: tuple[str, ...] = ()
    depth: int = 1


@dataclass(frozen=True)
class Place:
    """Where a request belongs, as it was stated. ``scheme``, ``host`` (as a browser sends it),
    ``name`` (the host without its port) and ``port`` are None where those of the connection stand;
    ``prefix`` is '' where none was brought. ``variables`` say the first four to WSGI."""

    scheme: str | None = None
    host: str | None = None
    name: str | None = None
    port: int | None = None
    prefix: str = ""
    in_path: bool = False
    variables: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        told = (
            ("wsgi.url_scheme", self.scheme),
            ("HTTP_HOST", self.host),
            ("SERVER_NAME", self.name),
            ("SERVER_PORT", self.port and str(self.port)),
        )
        found = tuple((name, value) for name, value in told if value)
        object.__setattr__(self, "variables", found)


# Of which nothing was stated.
NOWHERE = Place()


class Decision(NamedTuple):
    """What holds for one request: ``request.deploykit``.

    ``original`` has every header that was removed, by its name in the contract, for the log;
    secrets are in nothing that is kept. ``host`` is the header as it arrived. ``data`` is
    SITE["ENVIRON"], where it came as headers.
    """

    peer: Peer
    host: str
    original: Mapping[str, str]
    verdict: Verdict
    client: Client
    place: Place
    target: Target
    data: Mapping[str, str]

    @property
    def trusted(self) -> bool:
        """Whether the peer is a trusted proxy, or a trusted gateway."""
        return self.verdict.trusted

    @property
    def reason(self) -> str:
        """Why it is, or is not."""
        return self.verdict.reason

    @property
    def script_name(self) -> str:
        """Where the application is mounted, as text."""
        return self.target[0]

    @property
    def path(self) -> str:
        """The public path below that."""
        return self.target[1]

    @property
    def steps(self) -> tuple[Step, ...]:
        """Each thing that was decided, and why."""
        return (
            Step("peer", self.peer, self.reason),
            self._client_step(),
            self._step("scheme", self.place.scheme, self.peer.scheme),
            self._step("host", self.place.host, self.host),
            self._step("prefix", self.place.prefix, "none"),
        )

    def _client_step(self) -> Step:
        client = self.client
        if not client.hops:
            return Step("client", client.address or "unknown", "it is the peer")
        why = (
            f"entry {client.depth} from the right" if client.verified else "the rest is no address"
        )
        return Step("client", client.address or "unknown", why)

    def _step(self, what: str, stated: str | None, otherwise: str) -> Step:
        if not stated:
            return Step(what, otherwise, "nobody trusted says otherwise")
        return Step(what, stated, "the path says so" if self.place.in_path else "the proxy says so")
