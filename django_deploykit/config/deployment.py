"""Choices that Django cannot know: the keys of ``--set`` and of ``DEPLOYKIT["DEPLOYMENT"]``.

Each field of :class:`Deployment` is one choice; its metadata holds the parser and the line for
the reference page. There is no other list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from django_deploykit.config import values
from django_deploykit.config.values import Address, Backend, Invalid, Version
from django_deploykit.exceptions import ChoiceError, unknown


def _choice(default: Any, parse: Callable[[str], Any], doc: str) -> Any:
    return field(default=default, metadata={"parse": parse, "doc": doc})


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """How and where the site is to be served."""

    listen: tuple[Address, ...] = _choice(
        (Address("", 80),), values.addresses, "Addresses for plain HTTP, separated by commas."
    )
    tls_listen: tuple[Address, ...] = _choice(
        (Address("", 443),), values.addresses, "Addresses for HTTPS, used when SITE['TLS'] is set."
    )
    user: str = _choice(
        "", values.account, "User of the application processes; empty: the server's."
    )
    group: str = _choice(
        "", values.account, "Group of the application processes; empty: the server's."
    )
    processes: int = _choice(
        0, values.count, "Application processes; default: one for each CPU, as far as memory goes."
    )
    threads: int = _choice(5, values.count, "Threads in each application process.")
    cpu: int = _choice(
        0, values.count, "CPUs of the host, or container; default: this machine's, or 1."
    )
    memory: str = _choice(
        "", values.quantity, "Memory of the host, or container; default: this machine's, or 512Mi."
    )
    process_memory: str = _choice(
        "128Mi", values.quantity, "Memory that an application process needs, as was measured."
    )
    request_timeout: int = _choice(
        60, values.count, "Seconds after which a request that hangs costs its process."
    )
    body_limit: int = _choice(
        100 * 1024**2, values.size, "Largest request body (upload) the server accepts, in bytes."
    )
    locale: str = _choice(
        "C.UTF-8", values.locale, "Locale of the application, so that any file name can be stored."
    )
    application_group: str = _choice(
        "%{GLOBAL}", values.group, "mod_wsgi's application group: the sub-interpreter of a site."
    )
    isolation: str = _choice(
        "processes",
        values.one_of("processes", "interpreters"),
        "Several SITES: own processes each, or one sub-interpreter each in shared processes.",
    )
    admin_static: str = _choice(
        "collectstatic",
        values.one_of("collectstatic", "alias", "symlink", "copy"),
        "Where the admin's static files come from.",
    )
    static_lookup: str = _choice(
        "url",
        values.one_of("url", "file"),
        "How nginx tells static files: by their URL, or by looking for a file.",
    )
    socket: Path | Address | None = _choice(
        None,
        values.socket,
        "Where front and application server meet: a path, or '127.0.0.1:9000'; default: "
        "'/run/NAME/NAME.sock'.",
    )
    authorizer: Path | Address | None = _choice(
        None,
        values.socket,
        "Where Apache without mod_wsgi, lighttpd or nginx asks about users of AUTH_AREAS: a path "
        "(not Apache), or '127.0.0.1:9010'; default: '/run/NAME-authorizer/NAME.sock', with Apache "
        "that port, with nginx Django itself if it has endpoints for them.",
    )
    backends: tuple[Backend, ...] = _choice(
        (),
        values.backends,
        "Several application servers behind one front, each an address or path with 'weight=N', "
        "'backup', 'drain' or 'down' behind it; default: the one at 'socket'.",
    )
    balance: str = _choice(
        "least-connections",
        values.one_of("least-connections", "round-robin"),
        "Which of several application servers is next: the least busy one, or each in turn.",
    )
    sticky: bool = _choice(
        False, values.yes, "Bind each client to one of several application servers, by a cookie."
    )
    health: str | None = _choice(
        None,
        values.url,
        "The URL, below the prefix, that says whether an application server is well: HealthView; "
        "default: it is well if it can be reached.",
    )
    vhost_path: str | None = _choice(
        None,
        values.segment,
        "The first part of the path in which the front tells the application its scheme, host "
        "and port: '/PART/https/example.com:443/...'; default: it does not.",
    )
    resolver: Address | None = _choice(
        None,
        values.resolver,
        "The name server that nginx asks for the addresses of object storage, such as "
        "'127.0.0.53:53'; default: none.",
    )
    python_home: Path | None = _choice(
        None, values.path, "The virtual environment on the server; default: the running one."
    )
    log_directory: Path | None = _choice(
        None, values.path, "Directory of the access and error logs; default: the server's own."
    )
    server_version: Version | None = _choice(
        None, values.version, "Version of the web server; default: the installed one."
    )
    mod_wsgi_version: Version | None = _choice(
        None, values.version, "Version of mod_wsgi; default: the installed one."
    )
    mod_wsgi_module: Path | None = _choice(
        None,
        values.path,
        "mod_wsgi.so to load if none is; default: that of the package index, if installed.",
    )
    mod_xsendfile_version: Version | None = _choice(
        None,
        values.version,
        "Version of mod_xsendfile, if Apache is to use it; default: it does not.",
    )
    openssl_version: Version | None = _choice(
        None, values.version, "Version of OpenSSL in the web server; default: the installed one."
    )
    image: str = _choice(
        "", values.image, "The container image that a cluster pulls; default: NAME:1."
    )
    base_image: str = _choice(
        "",
        values.image,
        "The image that it is built from; default: python:X.Y-slim, as Python here.",
    )
    requirements: str = _choice(
        "requirements.txt",
        values.relative,
        "File below the project that pip installs from in an image.",
    )
    replicas: int = _choice(2, values.count, "Pods that always run.")
    max_replicas: int = _choice(10, values.count, "Pods that run under the highest load.")
    parent_ref: str = _choice(
        "gateway",
        values.object_name,
        "The Gateway that an HTTPRoute belongs to: NAME or NAMESPACE/NAME.",
    )
    ingress_class: str = _choice(
        "",
        values.object_name,
        "The class of an Ingress, which is then written in place of an HTTPRoute.",
    )
    database_max_connections: int | None = _choice(
        None, values.count, "Connections that each database server has for these sites."
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
