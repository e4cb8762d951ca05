"""Who the client is: a list of addresses, each written by the proxy that stands right of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from django_deploykit.proxy.decision import Client, Refused, record

Address = IPv4Address | IPv6Address
# What the proxies on the way said, nearest last: a header as it came, None if it did not; or what
# stood in the elements of Forwarded, '' for a proxy that said nothing.
Said = str | tuple[str, ...] | None
# From what was said of the client, and the peer's address, to who the client is.
Find = Callable[[Said, str], Client]

MAX_ENTRIES = 32
MAX_LENGTH = 4096

_WITH_PORT = re.compile(r"\[([^\[\]]+)\](?::[0-9]{1,5})?\Z|([0-9.]+):[0-9]{1,5}\Z")


def parse_address(text: str) -> Address | None:
    """An address, also as ``192.0.2.1:567``, ``[::1]`` or ``[::1]:567``; None for anything else.

    An IPv4 address in IPv6's clothes is the IPv4 address. A zone is dropped: it means something
    on another machine only.
    """
    match = _WITH_PORT.match(text)
    bare = (match[1] or match[2]) if match else text
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def plain(text: str) -> str:
    """The one spelling of an address, or '' for what is none.

    Proxies write most of them so, and the C library tells it much faster than Python can. Its
    ``inet_pton`` takes no other spelling of IPv4; for IPv6 ``inet_ntop`` writes the usual one, but
    after "::", where IPv4 may hide.
    """
    try:
        if ":" not in text:
            inet_pton(AF_INET, text)
            return text
        if inet_ntop(AF_INET6, inet_pton(AF_INET6, text)) == text and text[0] != ":":
            return text
    except (OSError, ValueError):
        pass
    address = parse_address(text)
    return str(address) if address else ""


def entries(text: Said) -> tuple[str, ...]:
    """The entries of a list, empty ones left out. Raise Refused for one beyond all reason."""
    if isinstance(text, tuple) or not text:
        return text or ()
    if len(text) > MAX_LENGTH:
        raise Refused(400, f"a list of {len(text)} characters")
    if "," not in text:  # Most lists are of one entry.
        only = text.strip()
        return (only,) if only else ()
    found = tuple([entry for part in text.split(",") if (entry := part.strip())])
    if len(found) > MAX_ENTRIES:
        raise Refused(400, f"a list of {len(found)} entries")
    return found


def one(find: Find) -> Find:
    """What ``find`` finds; at a fraction of its price where all that the trusted peer said is an
    address of IPv4, as most do."""

    def look(said: Said, peer: str) -> Client:
        if isinstance(said, str) and ":" not in said:
            try:
                inet_pton(AF_INET, said)
            except (OSError, ValueError):
                pass
            else:
                return record(Client, (said, True, (peer,), 1))
        return find(said, peer)

    return look


def walk(is_proxy: Callable[[str], bool], said: Said, peer: str) -> Client:
    """Go from the trusted ``peer`` leftwards, over proxies, to the first that is none.

    Whatever stands left of it was written by the client, and is never looked at. If all are
    proxies, the leftmost asked for itself.
    """
    named, hops = entries(said), [peer]
    for depth, text in enumerate(reversed(named), start=1):
        address = plain(text)
        if not address:
            return Client(hops[-1], False, tuple(hops), depth)
        if depth == len(named) or not is_proxy(address):
            return record(Client, (address, True, tuple(hops), depth))
        hops.append(address)
    return Client(peer, verified=False)


def count(hops: int, said: Said, peer: str) -> Client:
    """Take the entry that ``hops`` proxies lead to; with fewer entries, none of them counts."""
    named = entries(said)
    if len(named) < hops:
        return Client(peer, verified=False)
    between = (peer, *named[:-hops:-1])
    address = plain(named[-hops])
    if not address:
        return Client(between[-1], False, between, hops)
    return record(Client, (address, True, between, hops))
