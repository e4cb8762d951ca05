"""From what a request says, and a policy, to the one decision on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from django_deploykit import contract
from django_deploykit.proxy import addresses, forwarded, origin, prefix, vhost
from django_deploykit.proxy.decision import Client, Decision, Place, Refused, Told
from django_deploykit.proxy.peer import Peers
from django_deploykit.trust import Policy

# What each proxy on the way said, nearest last, by the header of the X-Forwarded family that
# says it. '' is a proxy that said nothing.
Words = Mapping[str, Sequence[str]]

_OF_ORIGIN = (contract.SCHEME_HEADER, contract.HOST_HEADER, contract.PORT_HEADER)
# What Forwarded calls the first three; it has no word of its own for a port.
_PARAMETERS = {
    contract.CLIENT_ADDRESS_HEADER: "for",
    contract.SCHEME_HEADER: "proto",
    contract.HOST_HEADER: "host",
}


class Judge:
    """Decides on requests by one policy. Raise BadSecret if its secrets cannot be read."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._peers = Peers(policy)
        self._heard = tuple(dict.fromkeys(policy.headers + policy.required))
        self._place = _of_path if policy.vhost else _ordinary
        # A visitor sends many requests, of which the headers that count are the same.
        self._listen = lru_cache(maxsize=1024)(self._read)

    def decide(self, told: Told) -> Decision:
        """What holds for a request. Raise Refused for one that is not to be answered."""
        peer, headers, policy = told.peer, told.headers, self.policy
        verdict = self._peers.judge(peer, headers.pop(contract.PROOF_HEADER, ""))
        if verdict.speaks:
            texts = tuple(map(headers.get, self._heard))
            statement = self._listen(peer.address, told.scheme, told.host, texts)
        else:  # Nothing that a stranger wrote is kept.
            statement = self._listen(peer.address)
        place = self._place(policy, told, statement)
        data = _data(policy, told) if statement.words and policy.data else {}
        return Decision(told, verdict, statement.client, place, data)

    def _read(
        self,
        peer: str,
        scheme: str = "",
        host: str = "",
        texts: tuple[str | None, ...] | None = None,
    ) -> _Statement:
        """Read the headers that count; ``texts`` is None for a peer of whom none does."""
        if texts is None:
            return _Statement(self.policy, None, Client(peer), scheme, host)
        words = _words(self.policy, dict(zip(self._heard, texts, strict=True)))
        return _Statement(self.policy, words, self._client(words, peer), scheme, host)

    def _client(self, words: Words, peer: str) -> Client:
        named = words.get(contract.CLIENT_ADDRESS_HEADER)
        if named is None:
            return Client(peer)
        if self.policy.hops:
            return addresses.count(named, peer, self.policy.hops)
        return addresses.walk(named, peer, self._peers.is_proxy)


class _Origin(NamedTuple):
    """Scheme, host and port as stated; None, all three or the host alone, where nobody did."""

    scheme: str | None = None
    host: str | None = None
    port: int | None = None


class _Statement:
    """What a peer's headers say, whatever the path of the request.

    ``words`` is None for a peer whose headers do not count.
    """

    __slots__ = ("_connection", "_policy", "_read", "client", "words")

    def __init__(
        self, policy: Policy, words: Words | None, client: Client, scheme: str, host: str
    ) -> None:
        self.words, self.client = words, client
        self._policy, self._connection = policy, (scheme, host)
        self._read: tuple[_Origin, str] | None = None

    @property
    def origin_and_prefix(self) -> tuple[_Origin, str]:
        """As stated; '' is no prefix. Raise Refused for what is malformed, contradicts itself or is
        not allowed. It is read when it is asked for: a path that names a virtual host does not."""
        if self._read is None:
            self._read = self._origin(), self._prefix()
        return self._read

    def _origin(self) -> _Origin:
        if not self.words:
            return _Origin()
        stated = [self._said(name) for name in _OF_ORIGIN]
        return _origin(*stated, *self._connection) if any(stated) else _Origin()

    def _prefix(self) -> str:
        header = self._policy.prefix_header
        named = self._said(header) if header else None
        return prefix.clean(named, self._policy.prefixes) if named else ""

    def _said(self, name: str) -> str | None:
        """What the proxy said that named the client. A shorter list than the client's was begun
        by a proxy nearer than that, which overwrote what it got: then it is the list's first."""
        values = self.words.get(name) if self.words else None
        return (values[-min(self.client.depth, len(values))] or None) if values else None


def _words(policy: Policy, headers: Mapping[str, str | None]) -> Words:
    """Every believed list. Raise Refused where a required header is missing: by naming it in
    Connection, a client can make some proxies drop it (RFC 9110 7.6.1)."""
    for name in policy.required:
        if not headers[name]:
            raise Refused(400, f"a trusted proxy did not send {name}")
    if contract.FORWARDED_HEADER not in policy.headers:
        return {name: addresses.entries(headers[name] or "") for name in policy.headers}
    words = _forwarded(headers[contract.FORWARDED_HEADER] or "")
    if policy.prefix_header:
        words[policy.prefix_header] = addresses.entries(headers[policy.prefix_header] or "")
    return words


def _forwarded(text: str) -> dict[str, Sequence[str]]:
    elements = forwarded.parse(text)
    return {
        header: [element.get(parameter, "") for element in elements]
        for header, parameter in _PARAMETERS.items()
    }


def _of_path(policy: Policy, told: Told, statement: _Statement) -> Place:
    """Where a request belongs whose path may name a virtual host."""
    vhosts = policy.vhost
    if vhosts and vhost.has_marker(told.path, vhosts.marker):
        if statement.words is None:
            raise Refused(404, "only a trusted proxy may name a virtual host")
        return _virtual(told, vhosts.marker, policy.prefixes)
    if vhosts and vhosts.required and told.path not in vhosts.exempt:
        raise Refused(404, "the path names no virtual host")
    return _ordinary(policy, told, statement)


def _virtual(told: Told, marker: str, allowed: Collection[str]) -> Place:
    raw = origin.request_path(told.raw_path)
    if prefix.is_below(raw, told.script_name):
        raw = raw[len(told.script_name) :]
    found = vhost.read(told.path, raw, marker, allowed)
    script_name = found.prefix + told.script_name
    return Place(
        scheme=found.scheme,
        host=origin.authority(found.scheme, found.host, found.port),
        port=found.port,
        prefix=found.prefix,
        script_name=script_name,
        path=found.path,
        raw_path=script_name + found.raw_path if found.raw_path else "",
        in_path=True,
    )


def _ordinary(policy: Policy, told: Told, statement: _Statement) -> Place:
    """Where a request belongs by its headers, and else by its connection."""
    (scheme, host, port), clean = statement.origin_and_prefix
    script_name, path, raw_path = told.script_name, told.path, told.raw_path
    if clean and policy.keeps_prefix:
        script_name, path = prefix.split(clean, script_name, path)
    elif clean:
        script_name = clean + script_name
        raw_path = clean + origin.request_path(raw_path) if raw_path else ""
    return Place(scheme, host, port, clean, script_name, path, raw_path)


@lru_cache(maxsize=1024)  # They are the same in most requests of a site.
def _origin(
    scheme: str | None, host: str | None, port: str | None, told_scheme: str, told_host: str
) -> _Origin:
    """All three, where one of them was stated. Raise Refused where they contradict each other."""
    known = origin.scheme(scheme) if scheme else told_scheme
    number = origin.port(port) if port else None
    if not host and not (number and told_host):
        return _Origin(known, None, number or _port_of(told_host) or origin.PORTS[known])
    name, named = origin.host(host or told_host)
    if number and named and number != named:
        raise Refused(400, f"the proxy says port {number}, and {host or told_host!r}")
    number = number or named
    return _Origin(known, origin.authority(known, name, number), number or origin.PORTS[known])


def _port_of(host: str) -> int | None:
    """The port in a Host header that nobody vouches for: Django refuses it later, if wrong."""
    try:
        return origin.host(host)[1]
    except Refused:
        return None


def _data(policy: Policy, told: Told) -> dict[str, str]:
    return {name: told.headers.get(contract.data_header(name), "") for name in policy.data}
