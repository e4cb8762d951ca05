"""From what a request says, and a policy, to the one decision on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import NamedTuple

from django_deploykit import contract
from django_deploykit.proxy import addresses, forwarded, origin, prefix, vhost
from django_deploykit.proxy.decision import Client, Decision, Place, Refused, Told
from django_deploykit.proxy.peer import Peers
from django_deploykit.trust import Policy, VirtualHosts

# What the proxies on the way said, nearest last: a header as it came, None if it did not; or what
# stood in the elements of Forwarded, '' for a proxy that said nothing.
List = str | tuple[str, ...] | None

# What Forwarded calls client, scheme and host; it has no word of its own for a port.
_PARAMETERS = ("for", "proto", "host")


class Judge:
    """Decides on requests by one policy. Raise BadSecret if its secrets cannot be read."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._peers = Peers(policy)
        known = (*contract.X_FORWARDED_FAMILY, policy.prefix_header)
        self._names = tuple(name if name in policy.headers else "" for name in known)
        self._is_forwarded = contract.FORWARDED_HEADER in policy.headers
        # The hosts and prefixes of a site are few. Visitors are many: none of them is in here.
        self._stated = lru_cache(maxsize=256)(self._read)

    def decide(self, told: Told) -> Decision:
        """What holds for a request. Raise Refused for one that is not to be answered."""
        peer, headers, policy = told.peer, told.headers, self.policy
        verdict = self._peers.judge(peer, headers.pop(contract.PROOF_HEADER, ""))
        lists = self._lists(headers) if verdict.speaks else None
        client = self._client(lists[0], peer.address) if lists else Client(peer.address)
        if policy.vhost and _names_virtual_host(policy.vhost, told.path):
            if not lists:
                raise Refused(404, "only a trusted proxy may name a virtual host")
            place = _virtual(told, policy.vhost.marker, policy.prefixes)
        elif lists:
            stated = self._stated(client.depth, told.scheme, told.host, lists[1:])
            place = _ordinary(policy, told, stated)
        else:  # Nothing that a stranger wrote is looked at, or kept.
            place = _ordinary(policy, told, _Stated())
        data = _data(policy, told) if lists and policy.data else {}
        return Decision(told, verdict, client, place, data)

    def _lists(self, headers: Mapping[str, str]) -> tuple[List, ...]:
        """What is believed: of client, scheme, host, port and prefix.

        Raise Refused where a required header is missing: by naming it in Connection, a client can
        make some proxies drop it (RFC 9110 7.6.1).
        """
        for name in self.policy.required:
            if not headers.get(name):
                raise Refused(400, f"a trusted proxy did not send {name}")
        if self._is_forwarded:
            elements = forwarded.parse(headers.get(contract.FORWARDED_HEADER, ""))
            said = [tuple(one.get(word, "") for one in elements) for word in _PARAMETERS]
            return (*said, None, headers.get(self._names[-1]))
        return tuple(map(headers.get, self._names))

    def _client(self, said: List, peer: str) -> Client:
        if not (self._is_forwarded or self._names[0]):
            return Client(peer)
        named = _values(said)
        if self.policy.hops:
            return addresses.count(named, peer, self.policy.hops)
        return addresses.walk(named, peer, self._peers.is_proxy)

    def _read(self, depth: int, scheme: str, host: str, lists: tuple[List, ...]) -> _Stated:
        """Read what is said of scheme, host, port and prefix by the proxy that named the client,
        over a connection with this ``scheme`` and ``host``.

        Raise Refused for what is malformed, contradicts itself or is not allowed.
        """
        said_scheme, said_host, said_port, named = [_nth(one, depth) for one in lists]
        clean = prefix.clean(named, self.policy.prefixes) if named else ""
        if said_scheme or said_host or said_port:
            return _Stated(*_origin(said_scheme, said_host, said_port, scheme, host), clean)
        return _Stated(prefix=clean)


class _Stated(NamedTuple):
    """Scheme, host and port as stated; None, all three or the host alone, where nobody did. And the
    prefix, '' for none."""

    scheme: str | None = None
    host: str | None = None
    port: int | None = None
    prefix: str = ""


def _values(said: List) -> tuple[str, ...]:
    return said if isinstance(said, tuple) else addresses.entries(said or "")


def _nth(said: List, depth: int) -> str:
    """What stands in a list at the place, from the right, of the client in its own. A shorter list
    was begun by a proxy nearer than that, which overwrote what it got: then it is the first."""
    values = _values(said)
    return values[-min(depth, len(values))] if values else ""


def _names_virtual_host(vhosts: VirtualHosts, path: str) -> bool:
    """Tell whether a path does. Raise Refused where each has to, and this one does not."""
    if vhost.has_marker(path, vhosts.marker):
        return True
    if vhosts.required and path not in vhosts.exempt:
        raise Refused(404, "the path names no virtual host")
    return False


def _virtual(told: Told, marker: str, allowed: Collection[str]) -> Place:
    """Where a request belongs by its path. Raise Refused."""
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


def _ordinary(policy: Policy, told: Told, stated: _Stated) -> Place:
    """Where a request belongs by its headers, and else by its connection."""
    clean = stated.prefix
    script_name, path, raw_path = told.script_name, told.path, told.raw_path
    if clean and policy.keeps_prefix:
        script_name, path = prefix.split(clean, script_name, path)
    elif clean:
        script_name = clean + script_name
        raw_path = clean + origin.request_path(raw_path) if raw_path else ""
    return Place(*stated, script_name, path, raw_path)


def _origin(
    scheme: str, host: str, port: str, told_scheme: str, told_host: str
) -> tuple[str, str | None, int]:
    """All three, where one of them was stated. Raise Refused where they contradict each other."""
    known = origin.scheme(scheme) if scheme else told_scheme
    number = origin.port(port) if port else None
    if not host and not (number and told_host):
        return known, None, number or _port_of(told_host) or origin.PORTS[known]
    name, named = origin.host(host or told_host)
    if number and named and number != named:
        raise Refused(400, f"the proxy says port {number}, and {host or told_host!r}")
    number = number or named
    return known, origin.authority(known, name, number), number or origin.PORTS[known]


def _port_of(host: str) -> int | None:
    """The port in a Host header that nobody vouches for: Django refuses it later, if wrong."""
    try:
        return origin.host(host)[1]
    except Refused:
        return None


def _data(policy: Policy, told: Told) -> dict[str, str]:
    return {name: told.headers.get(contract.data_header(name), "") for name in policy.data}
