"""Is it a trusted proxy that connected?"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from functools import lru_cache, partial
from pathlib import Path

from django_deploykit.proxy.addresses import parse_address
from django_deploykit.proxy.decision import Peer, Verdict
from django_deploykit.trust import PROXY, Condition, Network, Policy

# A secret that can be guessed is none: 16 characters of base64 are 96 bits.
_SHORTEST = 16


class BadSecret(Exception):
    """The file of a secret cannot be read, or holds none."""


class Peers:
    """Knows trusted peers, by one policy. Raise BadSecret if a secret's file is of no use."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._networks = policy.networks
        self._secrets = {path: _read_secret(path) for path in policy.secrets}
        # Peers and proxies are few, and asked about in every request.
        self.is_proxy = lru_cache(maxsize=1024)(self._is_proxy)
        known = lru_cache(maxsize=1024)(partial(self._judge, b""))
        # But not where the peer is the visitor, whom a gateway names: then no address counts.
        unnamed = lru_cache(maxsize=16)(lambda rest: self._judge(b"", Peer("", *rest)))
        self.without_secret = known if self._networks else lambda peer: unnamed(peer[1:])

    def judge(self, peer: Peer, secret: str) -> Verdict:
        """Tell whether one group of conditions holds for a peer, and the secret it showed."""
        if self._secrets:
            return self._judge(secret.encode("latin-1", "replace"), peer)
        return self.without_secret(peer)

    def _judge(self, secret: bytes, peer: Peer) -> Verdict:
        weaker = None
        for group in self._policy.trusted:
            reasons = [self._reason(condition, peer, secret) for condition in group]
            if None in reasons:
                continue
            verdict = Verdict(True, set(group) != {"gateway"}, " and ".join(map(str, reasons)))
            if verdict.speaks:
                return verdict
            weaker = verdict
        return weaker or Verdict(False, False, f"{self._policy.origin} does not name this peer")

    def _is_proxy(self, text: str) -> bool:
        """Tell whether an address in a list is that of a proxy."""
        return bool(_network_of(text, self._networks))

    def _reason(self, condition: Condition, peer: Peer, secret: bytes) -> str | None:
        """Why a condition holds, or None."""
        if condition == "front":
            return "only the front server reaches this application server"
        if condition == "unix":
            return "it came over a unix socket" if peer.is_unix else None
        if condition == "gateway":
            return None if peer.speaks_http else "a gateway hands over what it knows"
        if isinstance(condition, Path):
            known = hmac.compare_digest(secret, self._secrets[condition])
            return f"it knows the secret in {condition}" if known else None
        within = _network_of(peer.address, (condition,))
        return f"its address is in {within}" if within else None


def _network_of(text: str, networks: Iterable[Network]) -> Network | None:
    address = parse_address(text)
    if address is None:
        return None
    # An address of the other version is in no network, and no error.
    return next((network for network in networks if address in network), None)


def _read_secret(path: Path) -> bytes:
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise BadSecret(f"{PROXY}['TRUSTED']: cannot read {str(path)!r}: {error}.") from None
    if len(secret) < _SHORTEST:
        raise BadSecret(
            f"{PROXY}['TRUSTED']: {str(path)!r} holds {len(secret)} characters; "
            f"write {_SHORTEST} at least."
        )
    return secret
