"""The values of choices: each parser takes a text and returns what it means.

It raises Invalid, with what may be written, for any other.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

Version = tuple[int, ...]


@dataclass(frozen=True)
class Address:
    """Where a server listens: an IP address, or '' for every one, and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host or '*'}:{self.port}"

    @property
    def is_on_a_network(self) -> bool:
        """Whether it is one address that this host has only once an interface is up."""
        if not self.host:
            return False
        found = ipaddress.ip_address(self.host)
        return not (found.is_loopback or found.is_unspecified)


@dataclass(frozen=True, kw_only=True)
class Backend:
    """One of several application servers: where it listens, its share of the requests, and its
    role. A "backup" is asked while no other answers; one in "drain" only by those who are bound to
    it (``sticky``); one that is "down" by nobody."""

    where: Path | Address
    weight: int = 1
    role: str = ""

    @property
    def serves(self) -> bool:
        """Whether it takes requests of anybody in ordinary times."""
        return not self.role


class Invalid(Exception):
    """A value that is not allowed; the text says what is."""


def _like(pattern: str, allowed: str) -> Callable[[str], str]:
    """A parser of texts that fit a regular expression; ``allowed`` says the same to people."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise Invalid(allowed)
        return text

    return parse


account = _like(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", "the name of a user or group")
segment = _like(
    r"[A-Za-z0-9_~-]{1,64}",
    "one part of a URL's path: at most 64 letters, digits, '-', '_' and '~'",
)
group = _like(
    r"%\{(GLOBAL|SERVER|RESOURCE|HOST)\}|[A-Za-z0-9_.:-]{1,64}",
    "'%{GLOBAL}', '%{SERVER}', '%{RESOURCE}', '%{HOST}' or a plain name",
)
locale = _like(
    r"[A-Za-z]{1,8}(_[A-Za-z]{2})?\.[Uu][Tt][Ff]-?8",
    "the name of a UTF-8 locale, such as 'C.UTF-8' or 'en_US.UTF-8'",
)
relative = _like(
    r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*",
    "a path below the project, of letters, digits, '_', '.' and '-'",
)
quantity = _like(r"[1-9]\d{0,5}[MG]i", "an amount of memory in Mi or Gi: '512Mi'")
# RFC 1123 2.1, as Kubernetes has it.
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
object_name = _like(
    rf"({_LABEL}/)?{_LABEL}(\.{_LABEL})*",
    "the name of an object in lower case, or NAMESPACE/NAME",
)


def _address(text: str) -> Address:
    match = re.fullmatch(r"(?:(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)|\*)?:)?([0-9]{1,5})", text)
    host = _canonical(match[1] or match[2] or "") if match else None
    if not match or host is None or not 0 < int(match[3]) < 65536:
        raise Invalid("a port, or an IP address and port: '8080', '127.0.0.1:8080', '[::1]:80'")
    return Address(host, int(match[3]))


def _canonical(host: str) -> str | None:
    """An IP address as a server says it, by which it is found again: IPv6 has many spellings
    (RFC 5952). None for what is no address."""
    family = AF_INET6 if ":" in host else AF_INET
    try:
        return inet_ntop(family, inet_pton(family, host)) if host else ""
    except OSError:
        return None


def addresses(text: str) -> tuple[Address, ...]:
    found = tuple(_address(part.strip()) for part in text.split(","))
    if len(set(found)) < len(found):
        raise Invalid("each address once")
    return found


def version(text: str) -> Version:
    if not re.fullmatch(r"\d+(\.\d+){0,3}", text):
        raise Invalid("a version such as '2.4' or '2.4.71'")
    return tuple(int(part) for part in text.split("."))


def count(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,3}", text):
        raise Invalid("a whole number from 1 to 9999")
    return int(text)


def size(text: str) -> int:
    match = re.fullmatch(r"([1-9]\d{0,11})([KMG]?)", text)
    if not match or int(match[1]) << 10 * " KMG".index(match[2] or " ") >= 2**31:
        raise Invalid("a size in bytes below 2 GiB, or with K, M or G: '100M'")
    return int(match[1]) << 10 * " KMG".index(match[2] or " ")


def path(text: str) -> Path:
    if not text.startswith("/") or not text.isprintable():
        raise Invalid("an absolute path, without control characters")
    return Path(text)


def socket(text: str) -> Path | Address:
    if text.startswith("/"):
        found = path(text)
        # unix(7): 108 bytes with the NUL; nginx takes what follows a colon for a URI.
        if len(text.encode()) > 107 or ":" in text:
            raise Invalid("a path of at most 107 bytes without a colon")
        return found
    allowed = "an absolute path, or an IP address and port: '127.0.0.1:9000'"
    try:
        address = _address(text)
    except Invalid:
        raise Invalid(allowed) from None
    if not address.host:
        raise Invalid(allowed)
    return address


def resolver(text: str) -> Address:
    address = _address(text)
    if not address.host:
        raise Invalid("an IP address and port: '127.0.0.53:53'")
    return address


_ROLES = ("backup", "drain", "down")
# httpd takes no more (mod_proxy, loadfactor).
_MOST_WEIGHT = 100


def backends(text: str) -> tuple[Backend, ...]:
    found = tuple(_backend(*part.split()) for part in text.split(","))
    if len({one.where for one in found}) < len(found):
        raise Invalid("each application server once")
    if not any(one.serves for one in found):
        raise Invalid("at least one that is neither backup nor in drain nor down")
    return found


# A name of a host, or of a container, and a port.
_NAMED = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?:\d+", re.ASCII)


def _backend(where: str = "", *words: str) -> Backend:
    if _NAMED.fullmatch(where):
        # Measured with nginx 1.22, lighttpd 1.4.69, HAProxy 2.6 and httpd 2.4.71.
        raise Invalid(
            f"the IP address of {where!r}: while a name does not resolve, nginx, lighttpd and "
            "HAProxy start for no site at all, and Apache answers 500 and asks no other one"
        )
    weights = [word for word in words if re.fullmatch(r"weight=[1-9]\d{0,2}", word)]
    roles = [word for word in words if word in _ROLES]
    weight = int(weights[0].partition("=")[2]) if weights else 1
    if len(words) > len(weights[:1]) + len(roles[:1]) or weight > _MOST_WEIGHT:
        raise Invalid(
            "the address or path of each, and behind it 'weight=N' (1 to 100) and one of 'backup', "
            "'drain' and 'down': '10.0.0.5:8000 weight=2, 10.0.0.6:8000 backup'"
        )
    return Backend(where=socket(where), weight=weight, role=roles[0] if roles else "")


def yes(text: str) -> bool:
    known = {"yes": True, "no": False, "True": True, "False": False}
    if text not in known:
        raise Invalid("'yes' or 'no'")
    return known[text]


def url(text: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9_~./-]{0,255}", text) or "//" in text:
        raise Invalid("a path such as '/health/', of letters, digits, '/', '-', '_', '.' and '~'")
    return text


# What a container engine pulls: registry, path, tag, digest (github.com/distribution/reference).
_IMAGE = re.compile(
    r"(?:[a-z0-9.-]+(?::\d+)?/)?[a-z0-9][a-z0-9._/-]*"
    r"(?P<tag>:(?!latest(?:@|\Z))\w[\w.-]{0,127})?(?P<digest>@sha256:[0-9a-f]{64})?",
    re.ASCII,
)


def image(text: str) -> str:
    match = _IMAGE.fullmatch(text)
    if not match or not (match["tag"] or match["digest"]) or len(text) > 255:
        raise Invalid(
            "an image with its version: 'registry.example.com/shop:1.2', or with its digest; "
            "'latest' is none"
        )
    return text


def one_of(*allowed: str) -> Callable[[str], str]:
    """A parser of some words."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise Invalid("one of " + ", ".join(repr(name) for name in allowed))
        return text

    return parse
