"""Is it a trusted proxy that connected?"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from pathlib import Path

from django_deploykit import contract
from django_deploykit.proxy.addresses import Address, parse_address
from django_deploykit.proxy.decision import Told, Verdict
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

    def judge(self, told: Told) -> Verdict:
        """Tell whether one group of conditions holds for the peer of a request."""
        weaker = None
        for group in self._policy.trusted:
            reasons = [self._reason(condition, told) for condition in group]
            if None in reasons:
                continue
            verdict = Verdict(True, group != ("gateway",), " and ".join(map(str, reasons)))
            if verdict.speaks:
                return verdict
            weaker = verdict
        return weaker or Verdict(False, False, f"{self._policy.origin} does not name this peer")

    def is_proxy(self, address: Address) -> bool:
        """Tell whether an address in a list is that of a proxy."""
        return _network_of(address, self._networks) is not None

    def _reason(self, condition: Condition, told: Told) -> str | None:
        """Why a condition holds, or None."""
        if condition == "front":
            return "only the front server reaches this application server"
        if condition == "unix":
            return "it came over a unix socket" if told.peer.is_unix else None
        if condition == "gateway":
            return None if told.peer.speaks_http else "a gateway hands over what it knows"
        if isinstance(condition, Path):
            said = told.headers.get(contract.PROOF_HEADER, "").encode("latin-1", "replace")
            known = hmac.compare_digest(said, self._secrets[condition])
            return f"it knows the secret in {condition}" if known else None
        address = parse_address(told.peer.address)
        within = address and _network_of(address, (condition,))
        return f"its address is in {within}" if within else None


def _network_of(address: Address, networks: Iterable[Network]) -> Network | None:
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
