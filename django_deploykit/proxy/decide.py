"""From what a request says, and a policy, to the one decision on it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache, partial
from types import MappingProxyType

from django_deploykit import contract
from django_deploykit.proxy import addresses, forwarded, origin, prefix, vhost
from django_deploykit.proxy.addresses import Find, Said
from django_deploykit.proxy.decision import (
    NOWHERE,
    Client,
    Decision,
    Peer,
    Place,
    Refused,
    Target,
    Verdict,
    record,
)
from django_deploykit.proxy.peer import Peers
from django_deploykit.trust import Policy, VirtualHosts

# What Forwarded calls client, scheme and host; it has no word of its own for a port: ''.
_PARAMETERS = ("for", "proto", "host", "")
_PROOF = contract.PROOF_HEADER
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Judge:
    """Decides on requests by one policy. Raise BadSecret if its secrets cannot be read.

    What a policy leaves open is asked once, at the start, and ``decide()`` looks and calls little:
    within Django its code is no longer in the processor's caches, and each of that costs twice.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._peers = Peers(policy)
        is_forwarded = contract.FORWARDED_HEADER in policy.headers
        family = _PARAMETERS if is_forwarded else contract.X_FORWARDED_FAMILY
        believed = {*_PARAMETERS, *policy.headers}
        # What says who the client is, scheme, host, port and prefix; '' where nothing may.
        self._names = tuple(
            name if name in believed else "" for name in (*family, policy.prefix_header)
        )
        # The hosts and prefixes of a site are few. Visitors are many: none of them is in here.
        self._stated = lru_cache(maxsize=256)(self._read)
        self._steps = (self._peers.without_secret, self._finder(), self._stated)
        self._rules = (policy.vhost, policy.required, policy.data, is_forwarded)

    def _finder(self) -> Find:
        """How the client is found, by what was said of it, and by the peer's address."""
        if not self._names[0]:
            return lambda said, peer: Client(peer)
        hops = self.policy.hops or 0
        find = partial(addresses.walk, self._peers.is_proxy)
        if hops:
            find = partial(addresses.count, hops)
        if self.policy.strict:
            find = partial(_strictly, find)
        return find if hops > 1 else addresses.one(find)

    def decide(self, peer: Peer, host: str, target: Target, headers: dict[str, str]) -> Decision:
        """What holds for a request. Raise Refused for one that is not to be answered.

        ``headers`` are those that only a proxy may set, by their names in the contract; repeated
        ones are joined with commas, as RFC 9110 5.3 has it.
        """
        vhosts, required, wanted, is_forwarded = self._rules
        judged, find, stated = self._steps
        secret = headers.pop(_PROOF, "")
        get: Callable[[str], Said] = headers.get
        verdict = self._peers.judge(peer, secret) if secret else judged(peer)
        marker = _marker(vhosts, target[1]) if vhosts else ""
        if not verdict.speaks:
            return _of_stranger(peer, host, target, headers, verdict, marker)
        for header in required:
            if not get(header):
                raise Refused(400, _missing(header))
        if is_forwarded:
            get = _elements(headers).get
        client_name, proto, name, port, below = self._names
        address, _, _, scheme = peer
        client = find(get(client_name), address)
        if marker:
            place, target = _virtual(target, marker, self.policy.prefixes)
        else:
            place = stated(client[3], scheme, host, get(proto), get(name), get(port), get(below))
            if place.prefix:
                target = _below(place.prefix, target, self.policy.keeps_prefix)
        data = _data(wanted, headers) if wanted else _NOTHING
        return record(Decision, (peer, host, headers, verdict, client, place, target, data))

    def _read(self, depth: int, scheme: str, host: str, *lists: Said) -> Place:
        """Read scheme, host, port and prefix as the proxy stated them that named the client, over
        a connection with this ``scheme`` and ``host``.

        Raise Refused for what is malformed, contradicts itself or is not allowed.
        """
        said_scheme, said_host, said_port, named = [_nth(one, depth) for one in lists]
        clean = prefix.clean(named, self.policy.prefixes) if named else ""
        if said_scheme or said_host or said_port:
            return Place(*_origin(said_scheme, said_host, said_port, scheme, host), clean)
        return Place(prefix=clean)


def _of_stranger(
    peer: Peer,
    host: str,
    target: Target,
    headers: Mapping[str, str],
    verdict: Verdict,
    marker: str,
) -> Decision:
    """What holds where nothing that the peer wrote is looked at, or kept."""
    if marker:
        raise Refused(404, "only a trusted proxy may name a virtual host")
    client = record(Client, (peer.address, True, (), 1))
    return record(Decision, (peer, host, headers, verdict, client, NOWHERE, target, _NOTHING))


def _strictly(find: Find, said: Said, peer: str) -> Client:
    """The client that is found. Raise Refused where that is only the last proxy."""
    client = find(said, peer)
    if not client.verified:
        raise Refused(400, "the proxies do not tell the client's address")
    return client


def _nth(said: Said, depth: int) -> str:
    """What stands in a list at the place, from the right, of the client in its own. A shorter list
    was begun by a proxy nearer than that, which overwrote what it got: then it is the first."""
    values = addresses.entries(said)
    return values[-min(depth, len(values))] if values else ""


def _missing(name: str) -> str:
    """Why a request is refused without a header: by naming it in Connection, a client can make some
    proxies drop it (RFC 9110 7.6.1)."""
    return f"a trusted proxy did not send {name}"


def _elements(headers: dict[str, str]) -> Mapping[str, Said]:
    """The same headers, and what Forwarded says, each parameter as a list."""
    elements = forwarded.parse(headers.get(contract.FORWARDED_HEADER, ""))
    said = {word: tuple(one.get(word, "") for one in elements) for word in _PARAMETERS if word}
    return {**headers, **said}


def _data(names: Iterable[str], headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers.get(contract.data_header(name), "") for name in names}


def _marker(vhosts: VirtualHosts, path: str) -> str:
    """The marker, if a path names a virtual host, else ''. Raise Refused where each has to."""
    if vhost.has_marker(path, vhosts.marker):
        return vhosts.marker
    if vhosts.required and path not in vhosts.exempt:
        raise Refused(404, "the path names no virtual host")
    return ""


def _virtual(target: Target, marker: str, allowed: Collection[str]) -> tuple[Place, Target]:
    """Where a request belongs by its path. Raise Refused."""
    mount, path, raw = target
    raw, mark, query = origin.relative(raw).partition("?")
    if prefix.is_below(raw, mount):
        raw = raw[len(mount) :]
    found = vhost.read(path, raw, marker, allowed)
    host = origin.authority(found.scheme, found.host, found.port)
    mount = found.prefix + mount
    return (
        Place(found.scheme, host, found.host, found.port, found.prefix, in_path=True),
        (mount, found.path, f"{mount}{found.raw_path}{mark}{query}" if found.raw_path else ""),
    )


def _below(clean: str, target: Target, is_kept: bool) -> Target:
    """The target of a request below a prefix, which its path still has if it ``is_kept``."""
    mount, path, raw = target
    raw = origin.relative(raw)
    if is_kept:
        return (*prefix.split(clean, mount, path), raw)
    return clean + mount, path, clean + raw if raw else ""


def _origin(
    scheme: str, host: str, port: str, told_scheme: str, told_host: str
) -> tuple[str, str | None, str | None, int]:
    """Scheme, host, its name, and port, where one of them was stated. Raise Refused where they
    contradict each other."""
    known = origin.scheme(scheme) if scheme else told_scheme
    number = origin.port(port) if port else None
    if not host and not (number and told_host):
        return known, None, None, number or _port_of(told_host) or origin.PORTS[known]
    name, named = origin.host(host or told_host)
    if number and named and number != named:
        raise Refused(400, f"the proxy says port {number}, and {host or told_host!r}")
    number = number or named
    whole = origin.authority(known, name, number)
    return known, whole, name, number or origin.PORTS[known]


def _port_of(host: str) -> int | None:
    """The port in a Host header that nobody vouches for: Django refuses it later, if wrong."""
    try:
        return origin.host(host)[1]
    except Refused:
        return None
