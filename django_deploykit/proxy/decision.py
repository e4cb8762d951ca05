"""The decision on one request, with every step to it; and the refusal of one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

# Below Django's own, so that whoever handles that one gets these.
logger = logging.getLogger("django.security.deploykit")


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
    where the server took headers off the connection, so that it is no gateway's.
    """

    address: str = ""
    is_unix: bool = False
    speaks_http: bool = False

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


class Told(NamedTuple):
    """A request as it arrived, in plain text, whatever the interface.

    ``headers`` holds those that only a proxy may set, by their names in the contract; repeated
    ones are joined with commas, as RFC 9110 5.3 has it. ``path`` is without ``script_name``, and
    ``raw_path`` is what stood in the request line, '' where the server does not say.
    """

    peer: Peer
    headers: dict[str, str]
    scheme: str = "http"
    host: str = ""
    script_name: str = ""
    path: str = "/"
    raw_path: str = ""


class Client(NamedTuple):
    """The client, if it could be told, and the proxies between, nearest first.

    ``depth`` counts from the right the entry that names it: the request's other lists are read
    at the same one.
    """

    address: str
    verified: bool = True
    hops: tuple[str, ...] = ()
    depth: int = 1


class Place(NamedTuple):
    """Where a request belongs. ``scheme``, ``host`` (as a browser sends it) and ``port`` are None
    where those of the connection stand. ``prefix`` is what this request brought; ``script_name``
    and ``path`` are the public path, with what the server knew."""

    scheme: str | None
    host: str | None
    port: int | None
    prefix: str
    script_name: str
    path: str
    raw_path: str
    in_path: bool = False


class Decision(NamedTuple):
    """What holds for one request: ``request.deploykit``.

    ``told`` is the request as it arrived, but for secrets; ``data`` is SITE["ENVIRON"], where it
    came as headers.
    """

    told: Told
    verdict: Verdict
    client: Client
    place: Place
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
    def peer(self) -> Peer:
        """Who connected."""
        return self.told.peer

    @property
    def original(self) -> Mapping[str, str]:
        """Every header that was removed, for the log; secrets are in nothing that is kept."""
        return self.told.headers

    @property
    def steps(self) -> tuple[Step, ...]:
        """Each thing that was decided, and why."""
        return (
            Step("peer", self.peer, self.reason),
            self._client_step(),
            self._step("scheme", self.place.scheme, self.told.scheme),
            self._step("host", self.place.host, self.told.host),
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
