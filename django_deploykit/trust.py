"""Who may speak for a client, and what they may say: ``DEPLOYKIT["PROXY"]`` as plain data.

The runtime obeys a policy; ``manage.py check`` reports what is wrong with it. Both read it here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal

from django_deploykit import conf, contract
from django_deploykit.exceptions import unknown

PROXY = "DEPLOYKIT['PROXY']"

Network = IPv4Network | IPv6Network
# "front" is no word of the settings: an emitted script says it of the only peer there is.
Kind = Literal["unix", "gateway", "front"]
# A network the peer is in, what kind of peer it is, or the file of a secret it knows.
Condition = Network | Kind | Path

BELIEVABLE = (
    *contract.X_FORWARDED_FAMILY,
    contract.FORWARDED_HEADER,
    *contract.BELIEVABLE_PREFIX_HEADERS,
)
PREFIX_KEYS = ("ALLOWED", "MODE")
VHOST_KEYS = ("EXEMPT", "MARKER", "REQUIRED")
MAX_PREFIX = 255

_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~@+=-]+)+\Z")
_MARKER = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~-]{1,64}\Z")
_IN_FILE = "secret:"
_ENTRIES = (
    "Write an address or a network of proxies, 'unix', 'gateway', 'secret:/path/of/a/file', "
    "or a list of several that must hold together."
)


@dataclass(frozen=True)
class VirtualHosts:
    """Path-encoded virtual hosts: their first segment, and which paths do without it."""

    marker: str = "vhost"
    required: bool = False
    exempt: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policy:
    """What is believed of whom. The default: nothing, of nobody.

    Each entry of ``trusted`` is a group of conditions that hold together; one group is enough.
    ``headers`` are those that a trusted peer may use, ``required`` those without which its
    request is refused; if ``strict``, so is one whose client they do not tell. ``hops`` counts
    proxies where their addresses are not known. ``data`` names SITE["ENVIRON"] where it travels
    as headers. ``origin`` says where all this was said.
    """

    origin: str
    trusted: tuple[tuple[Condition, ...], ...] = ()
    headers: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    hops: int | None = None
    strict: bool = False
    keeps_prefix: bool = False
    prefixes: tuple[str, ...] = ()
    vhost: VirtualHosts | None = None
    data: tuple[str, ...] = ()

    @property
    def networks(self) -> tuple[Network, ...]:
        """Every network of proxies, however else they have to prove themselves."""
        conditions = (one for group in self.trusted for one in group)
        return tuple(one for one in conditions if isinstance(one, (IPv4Network, IPv6Network)))

    @property
    def secrets(self) -> tuple[Path, ...]:
        """The files of all secrets."""
        return tuple(one for group in self.trusted for one in group if isinstance(one, Path))

    @cached_property
    def prefix_header(self) -> str | None:
        """The one header that may name a URL prefix."""
        found = (name for name in self.headers if name in contract.BELIEVABLE_PREFIX_HEADERS)
        return next(found, None)

    def is_told(self, header: str) -> bool:
        """Whether somebody may say of a request what this one of the X-Forwarded headers says, by
        that, by Forwarded or in the path."""
        words = {header, contract.FORWARDED_HEADER}
        return bool(self.trusted and (self.vhost or words.intersection(self.headers)))

    @property
    def moves_urls(self) -> bool:
        """Tell whether each request may have another URL prefix."""
        return bool(self.prefix_header or (self.vhost and self.prefixes))

    @property
    def hides_paths(self) -> bool:
        """Tell whether a path may be nobody's, that is answered as an unknown one."""
        return bool(self.vhost or (self.prefix_header and self.keeps_prefix))


def clean_prefix(text: str) -> str | None:
    """A URL prefix without a slash at its end, '' for none, or None for what is no prefix.

    Nothing that it lets through leads a browser elsewhere: no empty segment (``//host``), no
    backslash, no percent sign, no dot segment, nothing that needs quoting in HTML.
    """
    if text in ("", "/"):
        return ""
    clean = text.removesuffix("/")
    return clean if len(text) <= MAX_PREFIX and _PREFIX.match(clean) else None


# What an emitted front says over HTTP, in every request: believed, and required.
_FRONT = (contract.CLIENT_ADDRESS_HEADER, contract.SCHEME_HEADER)
_LOCAL: tuple[tuple[Condition, ...], ...] = (
    ("unix",),
    (ip_network("127.0.0.0/8"),),
    (ip_network("::1"),),
)


def emitted(gateway: str, data: tuple[str, ...] = ()) -> Policy:
    """The policy of an emitted script: its server listens where its front alone connects."""
    return _behind(gateway, "the emitted script", (("front",),), data)


def of_stack(label: str, data: tuple[str, ...] = ()) -> Policy:
    """The policy that follows from the name of an emitted stack, such as ``nginx/http``.

    The application server is then not an emitted one, so its peer must be on this machine.
    """
    front, _, gateway = label.partition("/")
    origin = f"{contract.STACK_KEY}={label}"
    if front not in contract.FRONTS or not gateway:
        return Policy(origin)
    return _behind(gateway, origin, _LOCAL, data)


def _behind(
    gateway: str, origin: str, peers: tuple[tuple[Condition, ...], ...], data: tuple[str, ...]
) -> Policy:
    if gateway == "http":
        return Policy(origin, peers, headers=_FRONT, required=_FRONT, hops=1, data=data)
    return Policy(origin, trusted=(("gateway",),))


def configured(stack: str = "") -> tuple[Policy, tuple[tuple[str, str], ...]]:
    """The policy of DEPLOYKIT["PROXY"], else of the stack; and what is wrong with the first, as
    pairs of a place and a sentence."""
    read = conf.read()
    if not read.proxy:
        data = tuple(map(str, read.site.get("ENVIRON") or ()))
        return of_stack(stack, data) if stack else Policy("DEPLOYKIT"), ()
    reader = _Reader(read.proxy)
    return reader.policy(), tuple(reader.problems)


@dataclass
class _Reader:
    """Reads one PROXY section. What is wrong is noted, and makes nobody trusted."""

    raw: Mapping[str, Any]
    problems: list[tuple[str, str]] = field(default_factory=list)

    def policy(self) -> Policy:
        headers = self._headers("HEADERS", BELIEVABLE)
        prefix = self._mapping("PREFIX", PREFIX_KEYS)
        policy = Policy(
            PROXY,
            trusted=tuple(self._groups()),
            headers=headers,
            required=self._headers("REQUIRED", headers),
            hops=self._hops(),
            strict=self._strict(headers),
            keeps_prefix=self._mode(prefix) == "kept",
            prefixes=tuple(self._allowed(prefix)),
            vhost=self._vhost(),
        )
        self._check_families(headers)
        if (policy.headers or policy.vhost) and not policy.trusted:
            self._find("TRUSTED", "it names nobody, so that nothing is believed.")
        return policy

    def _find(self, key: str, message: str) -> None:
        self.problems.append((f"{PROXY}[{key!r}]", message))

    def _find_unknown(self, kind: str, value: object, key: str, allowed: tuple[str, ...]) -> None:
        # unknown() begins with the place, which stands beside the message here.
        message = unknown(kind, str(value), "", allowed or ("none",))
        self._find(key, message.removeprefix(": "))

    def _list(self, key: str, value: object) -> list[Any]:
        if isinstance(value, (list, tuple)):
            return list(value)
        self._find(key, f"{value!r} is not a list.")
        return []

    def _mapping(self, key: str, allowed: tuple[str, ...]) -> Mapping[str, Any]:
        value = self.raw.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):  # VHOST=False, for one, must not mean VHOST={}.
            self._find(key, f"{value!r} is not a dict.")
            return {}
        for name in value:
            if name not in allowed:
                self._find_unknown("key", name, key, allowed)
        return value

    def _groups(self) -> Iterator[tuple[Condition, ...]]:
        for entry in self._list("TRUSTED", self.raw.get("TRUSTED", ())):
            members = entry if isinstance(entry, (list, tuple)) else [entry]
            group = [self._condition(member) for member in members]
            found = tuple(one for one in group if one is not None)
            if found and len(found) == len(group):
                yield found

    def _condition(self, entry: object) -> Condition | None:
        """One condition; None, with a problem noted, for anything that is not exactly one."""
        if entry == "unix":
            return "unix"
        if entry == "gateway":
            return "gateway"
        if isinstance(entry, str) and entry.startswith(_IN_FILE):
            return self._secret(entry)
        try:
            network = _plain(ip_network(entry)) if isinstance(entry, str) else None
        except ValueError as error:
            self._find("TRUSTED", f"{error}. {_ENTRIES}")
            return None
        if network is None or network.prefixlen == 0:
            self._find("TRUSTED", f"{entry!r} is not allowed. {_ENTRIES}")
            return None
        return network

    def _secret(self, entry: str) -> Path | None:
        path = Path(entry.removeprefix(_IN_FILE))
        if path.is_absolute():
            return path
        # The text is not repeated: it may be the secret itself.
        self._find("TRUSTED", "'secret:' is not followed by the absolute path of a file.")
        return None

    def _headers(self, key: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
        known = {name.lower(): name for name in allowed}
        found = []
        for value in self._list(key, self.raw.get(key, ())):
            if str(value).lower() in known:
                found.append(known[str(value).lower()])
            else:
                self._find_unknown("header", value, key, allowed)
        return tuple(dict.fromkeys(found))

    def _check_families(self, headers: tuple[str, ...]) -> None:
        """RFC 7239 7.4: where both are there, nobody knows which one the proxy wrote."""
        family = set(headers) & set(contract.X_FORWARDED_FAMILY)
        if contract.FORWARDED_HEADER in headers and family:
            self._find("HEADERS", "name headers of one family: X-Forwarded-*, or Forwarded.")
        if len(set(headers) & set(contract.BELIEVABLE_PREFIX_HEADERS)) > 1:
            self._find("HEADERS", "name one header for the prefix, not two.")

    def _hops(self) -> int | None:
        value = self.raw.get("HOPS")
        if value is None or (type(value) is int and 1 <= value <= 32):
            return value
        self._find("HOPS", f"{value!r} is not a whole number from 1 to 32.")
        return None

    def _strict(self, headers: tuple[str, ...]) -> bool:
        value = self.raw.get("STRICT", False)
        if not isinstance(value, bool):
            self._find("STRICT", f"{value!r} is neither True nor False.")
        elif value and not {contract.CLIENT_ADDRESS_HEADER, contract.FORWARDED_HEADER} & {*headers}:
            self._find("STRICT", "of use only if one of HEADERS names the client.")
        return value is True

    def _mode(self, prefix: Mapping[str, Any]) -> str:
        value = prefix.get("MODE", "stripped")
        if value not in ("stripped", "kept"):
            self._find("PREFIX", f"MODE={value!r} is neither 'stripped' nor 'kept'.")
        return str(value)

    def _allowed(self, prefix: Mapping[str, Any]) -> Iterator[str]:
        for value in self._list("PREFIX", prefix.get("ALLOWED", ())):
            clean = clean_prefix(value) if isinstance(value, str) else None
            if clean:
                yield clean
            else:
                self._find("PREFIX", f"ALLOWED: {value!r} is no URL prefix.")

    def _vhost(self) -> VirtualHosts | None:
        if self.raw.get("VHOST") is None:
            return None
        raw = self._mapping("VHOST", VHOST_KEYS)
        marker, required = raw.get("MARKER", "vhost"), raw.get("REQUIRED", False)
        if not isinstance(marker, str) or not _MARKER.match(marker):
            self._find("VHOST", f"MARKER={marker!r} is not one plain segment of a URL.")
        if not isinstance(required, bool):
            self._find("VHOST", f"REQUIRED={required!r} is neither True nor False.")
        exempt = self._list("VHOST", raw.get("EXEMPT", ()))
        for path in exempt:
            if not isinstance(path, str) or not path.startswith("/"):
                self._find("VHOST", f"EXEMPT: {path!r} is no path, which begins with a slash.")
        return VirtualHosts(str(marker), required is True, tuple(map(str, exempt)))


def _plain(network: Network) -> Network:
    """An IPv4 network in IPv6's clothes (``::ffff:10.0.0.0/104``) without them."""
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < 96:
        return network
    return ip_network((mapped, network.prefixlen - 96))
