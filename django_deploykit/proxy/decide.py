"""From what a request says, and a policy, to the one decision on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    def decide(self, told: Told) -> Decision:
        """What holds for a request. Raise Refused for one that is not to be answered."""
        policy = self.policy
        verdict = self._peers.judge(told.peer, told.headers.pop(contract.PROOF_HEADER, ""))
        words = _words(policy, told) if verdict.speaks else None
        client = self._client(told, words or {})
        place = _place(policy, told, words, client.depth)
        return Decision(told, verdict, client, place, _data(policy, told) if words else {})

    def _client(self, told: Told, words: Words) -> Client:
        named, peer = words.get(contract.CLIENT_ADDRESS_HEADER), told.peer.address
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


def _words(policy: Policy, told: Told) -> Words:
    """Every believed list. Raise Refused where a required header is missing: by naming it in
    Connection, a client can make some proxies drop it (RFC 9110 7.6.1)."""
    for name in policy.required:
        if not told.headers.get(name):
            raise Refused(400, f"a trusted proxy did not send {name}")
    if contract.FORWARDED_HEADER in policy.headers:
        words = _forwarded(told)
    else:
        words = {name: _list(told, name) for name in policy.headers}
    if policy.prefix_header:
        words[policy.prefix_header] = _list(told, policy.prefix_header)
    return words


def _list(told: Told, name: str) -> Sequence[str]:
    text = told.headers.get(name)
    return addresses.entries(text) if text else ()


def _forwarded(told: Told) -> dict[str, Sequence[str]]:
    elements = forwarded.parse(told.headers.get(contract.FORWARDED_HEADER, ""))
    return {
        header: [element.get(parameter, "") for element in elements]
        for header, parameter in _PARAMETERS.items()
    }


def _said(words: Words, name: str | None, depth: int) -> str | None:
    """What the proxy said that named the client. A shorter list than the client's was begun by
    a proxy nearer than that, which overwrote what it got: then it is the list's first."""
    values = words.get(name, ()) if name else ()
    return (values[-min(depth, len(values))] or None) if values else None


def _place(policy: Policy, told: Told, words: Words | None, depth: int) -> Place:
    """Where a request belongs; ``words`` is None for a peer whose headers do not count."""
    vhosts = policy.vhost
    if vhosts and vhost.has_marker(told.path, vhosts.marker):
        if words is None:
            raise Refused(404, "only a trusted proxy may name a virtual host")
        return _virtual(told, vhosts.marker)
    if vhosts and vhosts.required and told.path not in vhosts.exempt:
        raise Refused(404, "the path names no virtual host")
    return _ordinary(policy, told, words or {}, depth)


def _virtual(told: Told, marker: str) -> Place:
    raw = origin.request_path(told.raw_path)
    if prefix.is_below(raw, told.script_name):
        raw = raw[len(told.script_name) :]
    found = vhost.read(told.path, raw, marker)
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


def _ordinary(policy: Policy, told: Told, words: Words, depth: int) -> Place:
    stated = _stated(told, words, depth)
    named = _said(words, policy.prefix_header, depth)
    clean = prefix.clean(named, policy.prefixes) if named else ""
    script_name, path, raw_path = told.script_name, told.path, told.raw_path
    if clean and policy.keeps_prefix:
        script_name, path = prefix.split(clean, script_name, path)
    elif clean:
        script_name = clean + script_name
        raw_path = clean + origin.request_path(raw_path) if raw_path else ""
    return Place(*stated, clean, script_name, path, raw_path)


def _stated(told: Told, words: Words, depth: int) -> _Origin:
    scheme = _said(words, contract.SCHEME_HEADER, depth)
    host = _said(words, contract.HOST_HEADER, depth)
    port = _said(words, contract.PORT_HEADER, depth)
    if not (scheme or host or port):
        return _Origin()
    return _origin(scheme, host, port, told.scheme, told.host)


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
