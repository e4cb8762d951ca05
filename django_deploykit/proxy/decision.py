"""The decision on one request, with every step to it; and the refusal of one."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple


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
    headers: Mapping[str, str]
    scheme: str = "http"
    host: str = ""
    script_name: str = ""
    path: str = "/"
    raw_path: str = ""


class Decision(NamedTuple):
    """What holds for one request: ``request.deploykit``.

    ``client`` is the visitor's address, '' where nobody knows it; ``client_verified`` is False
    where the walk to it ended at something that is no address, or a proxy named nobody. ``hops``
    are the proxies between, nearest first. ``scheme``, ``host`` (as a browser sends it) and
    ``port`` are None where those of the connection stand. ``prefix`` is what this request
    brought; ``script_name`` and ``path``, with what the server knew, are where it belongs.
    ``data`` is SITE["ENVIRON"], where it came as headers. ``original`` holds every header that
    was removed, but no secret. ``steps`` say how it came about.
    """

    peer: Peer
    trusted: bool
    reason: str
    client: str
    client_verified: bool
    hops: tuple[str, ...]
    scheme: str | None
    host: str | None
    port: int | None
    prefix: str
    script_name: str
    path: str
    raw_path: str
    data: Mapping[str, str]
    original: Mapping[str, str]
    steps: tuple[Step, ...]
