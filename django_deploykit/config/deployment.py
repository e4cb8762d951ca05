"""Choices that Django cannot know: the keys of ``--set`` and of ``DEPLOYKIT["DEPLOYMENT"]``.

Each field of :class:`Deployment` is one choice; its metadata holds the parser and the line for
the reference page. There is no other list.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from django_deploykit.exceptions import ChoiceError, unknown

Version = tuple[int, ...]


@dataclass(frozen=True)
class Address:
    """Where a server listens: an IP address, or '' for every one, and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host or '*'}:{self.port}"


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


def _address(text: str) -> Address:
    match = re.fullmatch(r"(?:(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)|\*)?:)?([0-9]{1,5})", text)
    if not match or not 0 < int(match[3]) < 65536 or not _is_ip(match[1], match[2]):
        raise Invalid("a port, or an IP address and port: '8080', '127.0.0.1:8080', '[::1]:80'")
    return Address(match[1] or match[2] or "", int(match[3]))


def _is_ip(six: str | None, four: str | None) -> bool:
    try:
        if address := six or four:
            ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def _addresses(text: str) -> tuple[Address, ...]:
    addresses = tuple(_address(part.strip()) for part in text.split(","))
    if len(set(addresses)) < len(addresses):
        raise Invalid("each address once")
    return addresses


def _version(text: str) -> Version:
    if not re.fullmatch(r"\d+(\.\d+){0,3}", text):
        raise Invalid("a version such as '2.4' or '2.4.71'")
    return tuple(int(part) for part in text.split("."))


def _account(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", text):
        raise Invalid("the name of a user or group")
    return text


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,3}", text):
        raise Invalid("a whole number from 1 to 9999")
    return int(text)


def _size(text: str) -> int:
    match = re.fullmatch(r"([1-9]\d{0,11})([KMG]?)", text)
    if not match or int(match[1]) << 10 * " KMG".index(match[2] or " ") >= 2**31:
        raise Invalid("a size in bytes below 2 GiB, or with K, M or G: '100M'")
    return int(match[1]) << 10 * " KMG".index(match[2] or " ")


def _path(text: str) -> Path:
    if not text.startswith("/") or not text.isprintable():
        raise Invalid("an absolute path, without control characters")
    return Path(text)


def _socket(text: str) -> Path | Address:
    if text.startswith("/"):
        path = _path(text)
        # unix(7): 108 bytes with the NUL; nginx takes what follows a colon for a URI.
        if len(text.encode()) > 107 or ":" in text:
            raise Invalid("a path of at most 107 bytes without a colon")
        return path
    address = _address(text)
    if not address.host:
        raise Invalid("an absolute path, or an IP address and port: '127.0.0.1:9000'")
    return address


def _resolver(text: str) -> Address:
    address = _address(text)
    if not address.host:
        raise Invalid("an IP address and port: '127.0.0.53:53'")
    return address


_ROLES = ("backup", "drain", "down")
# httpd takes no more (mod_proxy, loadfactor).
_MOST_WEIGHT = 100


def _backends(text: str) -> tuple[Backend, ...]:
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
    return Backend(where=_socket(where), weight=weight, role=roles[0] if roles else "")


def _yes(text: str) -> bool:
    known = {"yes": True, "no": False, "True": True, "False": False}
    if text not in known:
        raise Invalid("'yes' or 'no'")
    return known[text]


def _url(text: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9_~./-]{0,255}", text) or "//" in text:
        raise Invalid("a path such as '/health/', of letters, digits, '/', '-', '_', '.' and '~'")
    return text


def _segment(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_~-]{1,64}", text):
        raise Invalid("one part of a URL's path: at most 64 letters, digits, '-', '_' and '~'")
    return text


def _group(text: str) -> str:
    if not re.fullmatch(r"%\{(GLOBAL|SERVER|RESOURCE|HOST)\}|[A-Za-z0-9_.:-]{1,64}", text):
        raise Invalid("'%{GLOBAL}', '%{SERVER}', '%{RESOURCE}', '%{HOST}' or a plain name")
    return text


def _locale(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{1,8}(_[A-Za-z]{2})?\.[Uu][Tt][Ff]-?8", text):
        raise Invalid("the name of a UTF-8 locale, such as 'C.UTF-8' or 'en_US.UTF-8'")
    return text


# What a container engine pulls: registry, path, tag, digest (github.com/distribution/reference).
_IMAGE = re.compile(
    r"(?:[a-z0-9.-]+(?::\d+)?/)?[a-z0-9][a-z0-9._/-]*"
    r"(?P<tag>:(?!latest(?:@|\Z))\w[\w.-]{0,127})?(?P<digest>@sha256:[0-9a-f]{64})?",
    re.ASCII,
)


def _image(text: str) -> str:
    match = _IMAGE.fullmatch(text)
    if not match or not (match["tag"] or match["digest"]) or len(text) > 255:
        raise Invalid(
            "an image with its version: 'registry.example.com/shop:1.2', or with its digest; "
            "'latest' is none"
        )
    return text


def _relative(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*", text):
        raise Invalid("a path below the project, of letters, digits, '_', '.' and '-'")
    return text


def _quantity(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,5}[MG]i", text):
        raise Invalid("an amount of memory in Mi or Gi: '512Mi'")
    return text


def _object(text: str) -> str:
    name = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    if not re.fullmatch(rf"({name}/)?{name}(\.{name})*", text):
        raise Invalid("the name of an object in lower case, or NAMESPACE/NAME")
    return text


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise Invalid("one of " + ", ".join(repr(name) for name in allowed))
        return text

    return parse


def _choice(default: Any, parse: Callable[[str], Any], doc: str) -> Any:
    return field(default=default, metadata={"parse": parse, "doc": doc})


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """How and where the site is to be served."""

    listen: tuple[Address, ...] = _choice(
        (Address("", 80),), _addresses, "Addresses for plain HTTP, separated by commas."
    )
    tls_listen: tuple[Address, ...] = _choice(
        (Address("", 443),), _addresses, "Addresses for HTTPS, used when SITE['TLS'] is set."
    )
    user: str = _choice("", _account, "User of the application processes; empty: the server's.")
    group: str = _choice("", _account, "Group of the application processes; empty: the server's.")
    processes: int = _choice(
        0, _count, "Application processes; default: one for each CPU, as far as memory goes."
    )
    threads: int = _choice(5, _count, "Threads in each application process.")
    cpu: int = _choice(0, _count, "CPUs of the host, or container; default: this machine's, or 1.")
    memory: str = _choice(
        "", _quantity, "Memory of the host, or container; default: this machine's, or 512Mi."
    )
    process_memory: str = _choice(
        "128Mi", _quantity, "Memory that an application process needs, as was measured."
    )
    request_timeout: int = _choice(
        60, _count, "Seconds after which a request that hangs costs its process."
    )
    body_limit: int = _choice(
        100 * 1024**2, _size, "Largest request body (upload) the server accepts, in bytes."
    )
    locale: str = _choice(
        "C.UTF-8", _locale, "Locale of the application, so that any file name can be stored."
    )
    application_group: str = _choice(
        "%{GLOBAL}", _group, "mod_wsgi's application group: the sub-interpreter of a site."
    )
    isolation: str = _choice(
        "processes",
        _one_of("processes", "interpreters"),
        "Several SITES: own processes each, or one sub-interpreter each in shared processes.",
    )
    admin_static: str = _choice(
        "collectstatic",
        _one_of("collectstatic", "alias", "symlink", "copy"),
        "Where the admin's static files come from.",
    )
    static_lookup: str = _choice(
        "url",
        _one_of("url", "file"),
        "How nginx tells static files: by their URL, or by looking for a file.",
    )
    socket: Path | Address | None = _choice(
        None,
        _socket,
        "Where front and application server meet: a path, or '127.0.0.1:9000'; default: "
        "'/run/NAME/NAME.sock'.",
    )
    authorizer: Path | Address | None = _choice(
        None,
        _socket,
        "Where Apache without mod_wsgi, lighttpd or nginx asks about users of AUTH_AREAS: a path "
        "(not Apache), or '127.0.0.1:9010'; default: '/run/NAME-authorizer/NAME.sock', with Apache "
        "that port, with nginx Django itself if it has endpoints for them.",
    )
    backends: tuple[Backend, ...] = _choice(
        (),
        _backends,
        "Several application servers behind one front, each an address or path with 'weight=N', "
        "'backup', 'drain' or 'down' behind it; default: the one at 'socket'.",
    )
    balance: str = _choice(
        "least-connections",
        _one_of("least-connections", "round-robin"),
        "Which of several application servers is next: the least busy one, or each in turn.",
    )
    sticky: bool = _choice(
        False, _yes, "Bind each client to one of several application servers, by a cookie."
    )
    health: str | None = _choice(
        None,
        _url,
        "The URL, below the prefix, that says whether an application server is well: HealthView; "
        "default: it is well if it can be reached.",
    )
    vhost_path: str | None = _choice(
        None,
        _segment,
        "The first part of the path in which the front tells the application its scheme, host "
        "and port: '/PART/https/example.com:443/...'; default: it does not.",
    )
    resolver: Address | None = _choice(
        None,
        _resolver,
        "The name server that nginx asks for the addresses of object storage, such as "
        "'127.0.0.53:53'; default: none.",
    )
    python_home: Path | None = _choice(
        None, _path, "The virtual environment on the server; default: the running one."
    )
    log_directory: Path | None = _choice(
        None, _path, "Directory of the access and error logs; default: the server's own."
    )
    server_version: Version | None = _choice(
        None, _version, "Version of the web server; default: the installed one."
    )
    mod_wsgi_version: Version | None = _choice(
        None, _version, "Version of mod_wsgi; default: the installed one."
    )
    mod_wsgi_module: Path | None = _choice(
        None,
        _path,
        "mod_wsgi.so to load if none is; default: that of the package index, if installed.",
    )
    mod_xsendfile_version: Version | None = _choice(
        None, _version, "Version of mod_xsendfile, if Apache is to use it; default: it does not."
    )
    openssl_version: Version | None = _choice(
        None, _version, "Version of OpenSSL in the web server; default: the installed one."
    )
    image: str = _choice("", _image, "The container image that a cluster pulls; default: NAME:1.")
    base_image: str = _choice(
        "", _image, "The image that it is built from; default: python:X.Y-slim, as Python here."
    )
    requirements: str = _choice(
        "requirements.txt", _relative, "File below the project that pip installs from in an image."
    )
    replicas: int = _choice(2, _count, "Pods that always run.")
    max_replicas: int = _choice(10, _count, "Pods that run under the highest load.")
    parent_ref: str = _choice(
        "gateway", _object, "The Gateway that an HTTPRoute belongs to: NAME or NAMESPACE/NAME."
    )
    ingress_class: str = _choice(
        "", _object, "The class of an Ingress, which is then written in place of an HTTPRoute."
    )
    database_max_connections: int | None = _choice(
        None, _count, "Connections that each database server has for these sites."
    )


def choice_names() -> tuple[str, ...]:
    """The keys that ``--set`` and ``DEPLOYMENT`` take."""
    return tuple(choice.name for choice in fields(Deployment))


def parse_choices(raw: Mapping[str, object], origin: str) -> dict[str, Any]:
    """Turn raw values, keyed by choice, into typed ones; None leaves the default.

    Raise ChoiceError naming all that are not allowed.
    """
    parsed, problems = {}, []
    known = {choice.name: choice for choice in fields(Deployment)}
    for key, value in raw.items():
        if value is None and key in known:
            continue
        if key not in known:
            problems.append(unknown("key", str(key), origin, known))
            continue
        try:
            parsed[key] = known[key].metadata["parse"](_as_text(value))
        except Invalid as invalid:
            problems.append(f"{origin}: {key}={value!r} is not allowed. Write {invalid}.")
    if problems:
        raise ChoiceError(*problems)
    return parsed


def _as_text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(str(part) for part in value)
    return str(value)
