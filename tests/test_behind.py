"""What an application believes of the front server it was emitted with, and of nobody else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from django_deploykit import contract
from django_deploykit.handlers.behind import behind_front

ADDRESS = contract.environ_key(contract.CLIENT_ADDRESS_HEADER)
SCHEME = contract.environ_key(contract.SCHEME_HEADER)
DATA = contract.environ_key(contract.data_header("REGION"))
TOLD = {ADDRESS: "192.0.2.7", SCHEME: "https"}
CGI = ("uwsgi", "fastcgi", "scgi")


def _ask(
    environ: dict[str, Any],
    *,
    front: str = "apache",
    gateway: str = "http",
    prefix: str = "",
    data: Iterable[str] = (),
    headers: Iterable[tuple[str, str]] = (),
) -> tuple[str, list[tuple[str, str]], dict[str, Any]]:
    """Send one request; what comes back, and the environ that the application saw."""
    seen: dict[str, Any] = {}
    answered: list[tuple[str, list[tuple[str, str]]]] = []

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.update(environ)
        start_response("200 OK", list(headers))
        return [b"page"]

    wrapped = behind_front(application, front=front, gateway=gateway, prefix=prefix, data=data)
    told = TOLD if gateway == "http" else {}
    body = wrapped({**told, **environ}, lambda status, headers: answered.append((status, headers)))
    assert (b"".join(body) == b"page") is bool(seen)
    return *answered[0], seen


def _seen(environ: dict[str, Any], **options: Any) -> dict[str, Any]:
    return _ask({"PATH_INFO": "/", **environ}, **options)[2]


@pytest.mark.parametrize("gateway", ["http", *CGI])
@pytest.mark.parametrize(
    ("prefix", "script_name", "path_info", "expected"),
    [
        ("", "", "/", ("", "/")),
        ("", "", "/page/", ("", "/page/")),
        ("", "/page", "/more/", ("", "/page/more/")),  # lighttpd, without fix-root-scriptname
        ("", "", "", ("", "")),
        ("/app", "", "/app/", ("/app", "/")),
        ("/app", "/app", "/page/", ("/app", "/page/")),
        ("/app", "", "/app/page/", ("/app", "/page/")),
        ("/app", "/app/page", "/", ("/app", "/page/")),
        ("/app", "", "/app//page/", ("/app", "//page/")),
        ("/app", "/app", "/app/", ("/app", "/app/")),
        ("/a/b", "/a", "/b/c", ("/a/b", "/c")),
        ("/caf\xc3\xa9", "", "/caf\xc3\xa9/x", ("/caf\xc3\xa9", "/x")),
    ],
)
def test_the_path_is_split_at_the_prefix(
    gateway: str, prefix: str, script_name: str, path_info: str, expected: tuple[str, str]
) -> None:
    """However the server split it."""
    environ = {"SCRIPT_NAME": script_name, "PATH_INFO": path_info}
    _, _, seen = _ask(environ, gateway=gateway, prefix=prefix)
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == expected


@pytest.mark.parametrize(
    ("script_name", "path_info"),
    [
        ("", "/"),
        ("", "/app"),
        ("/app", ""),
        ("", "/application/"),
        ("/app", "lication/"),
        ("", "/APP/"),
        ("", "//app/"),
        ("/evil", "/app/"),
        ("", "app/"),
    ],
)
def test_a_path_outside_of_the_prefix_is_not_found(script_name: str, path_info: str) -> None:
    """The application is never asked."""
    status, _, seen = _ask({"SCRIPT_NAME": script_name, "PATH_INFO": path_info}, prefix="/app")
    assert (status, seen) == ("404 Not Found", {})


def test_a_missing_path_is_the_root() -> None:
    """A server may leave empty variables out (PEP 3333)."""
    _, _, seen = _ask({})
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("", "")


def test_over_http_the_contract_is_believed() -> None:
    """Address and scheme come in headers, and are taken out of them."""
    seen = _seen({**TOLD, "REMOTE_ADDR": "", "REMOTE_PORT": "1", "REMOTE_HOST": "x"})
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("192.0.2.7", "https")
    assert not {ADDRESS, SCHEME, "REMOTE_PORT", "REMOTE_HOST"} & set(seen)


@pytest.mark.parametrize("name", [ADDRESS, SCHEME])
@pytest.mark.parametrize("said", ["", "ftp"])
def test_over_http_the_front_never_forgets(
    name: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without what a front says in every request, a request is not from it: 400, and the log says
    why. An address that is none is that of nobody."""
    status, _, seen = _ask({"PATH_INFO": "/", name: said})
    if (name, said) == (ADDRESS, "ftp"):
        assert seen["REMOTE_ADDR"] == ""
    else:
        assert (status, seen) == ("400 Bad Request", {})
        assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("scheme", "host", "port"),
    [
        ("http", "example.com", "80"),
        ("https", "example.com", "443"),
        ("http", "example.com:8080", "8080"),
        ("https", "[2001:db8::1]:8443", "8443"),
        ("https", "[2001:db8::1]", "443"),
        ("http", "", "80"),
        ("http", ":8080", "80"),
        ("http", "example.com:", "80"),
        ("http", "example.com:evil", "80"),
        ("http", "example.com:\xb2", "80"),
        ("http", "example.com:123456", "80"),
    ],
)
def test_the_port_is_the_clients(scheme: str, host: str, port: str) -> None:
    """The one in Host, or the scheme's own."""
    assert _seen({SCHEME: scheme, "HTTP_HOST": host})["SERVER_PORT"] == port


@pytest.mark.parametrize("gateway", CGI)
def test_over_other_gateways_no_header_is_believed(gateway: str) -> None:
    """Parameters have said it already, and a client can only write headers."""
    parameters = {"REMOTE_ADDR": "192.0.2.7", "SERVER_PORT": "443", "wsgi.url_scheme": "https"}
    forged = {ADDRESS: "203.0.113.9", SCHEME: "http", "HTTP_HOST": "example.com:1"}
    seen = _seen({**parameters, **forged}, gateway=gateway)
    assert {key: seen[key] for key in parameters} == parameters
    assert not {ADDRESS, SCHEME} & set(seen)


def test_data_arrives_under_its_own_name() -> None:
    """Over HTTP it travels as a header, which is gone afterwards."""
    seen = _seen({DATA: "eu-north", "REGION": "old"}, data=["REGION"])
    assert seen["REGION"] == "eu-north"
    assert DATA not in seen


def test_data_that_did_not_come_is_empty() -> None:
    """What the environment of the process holds under that name is not data of this request."""
    assert _seen({"REGION": "old"}, data=["REGION"])["REGION"] == ""


@pytest.mark.parametrize("gateway", CGI)
def test_data_in_parameters_is_no_header(gateway: str) -> None:
    """Over the other gateways a header of that name is a client's, and changes nothing."""
    seen = _seen({DATA: "evil", "REGION": "eu-north"}, gateway=gateway, data=["REGION"])
    assert seen["REGION"] == "eu-north"


@pytest.mark.parametrize("gateway", ["http", *CGI])
@pytest.mark.parametrize("key", contract.CLIENT_FORBIDDEN_KEYS)
def test_no_header_of_a_proxy_arrives(gateway: str, key: str) -> None:
    """Whatever only a proxy may say is gone, the believed ones too."""
    assert key not in _seen({key: TOLD.get(key, "spoofed")}, gateway=gateway)


def test_other_headers_arrive() -> None:
    """Nothing else is taken away."""
    kept = {"HTTP_COOKIE": "a=b", "HTTP_AUTHORIZATION": "Basic eDp5", "HTTP_X_CUSTOM": "1"}
    assert kept.items() <= _seen(kept).items()


@pytest.mark.parametrize(
    ("front", "headers", "marked"),
    [
        ("nginx", [], True),
        ("nginx", [("Content-Length", "4")], False),
        ("nginx", [("content-length", "4")], False),
        ("apache", [], False),
        ("lighttpd", [], False),
    ],
)
def test_streams_are_marked_where_the_front_obeys(
    front: str, headers: list[tuple[str, str]], marked: bool
) -> None:
    """Elsewhere the mark would only be shown to clients."""
    _, answered, _ = _ask({"PATH_INFO": "/"}, front=front, headers=headers)
    assert answered == [*headers, *([(contract.STREAM_HEADER, "no")] if marked else [])]


def test_an_application_may_mark_its_answers_itself() -> None:
    """Its own word is kept, and not doubled."""
    own = [("x-accel-buffering", "yes")]
    assert _ask({"PATH_INFO": "/"}, front="nginx", headers=own)[1] == own


def test_errors_are_handed_on() -> None:
    """start_response with exc_info replaces headers, or raises (PEP 3333)."""
    handed = []

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("500 Oops", [], ("type", "error", "traceback"))
        return []

    wrapped = behind_front(application, front="nginx", gateway="http")
    wrapped({"PATH_INFO": "/", **TOLD}, lambda *arguments: handed.append(arguments))
    assert handed == [
        ("500 Oops", [(contract.STREAM_HEADER, "no")], ("type", "error", "traceback"))
    ]


# Where the front starts a file


@pytest.mark.parametrize("gateway", ["cgi", "fcgid"])
@pytest.mark.parametrize(("prefix", "url"), [("", "/site.fcgi"), ("/app", "/app/site.fcgi")])
def test_the_files_own_name_is_not_the_sites(gateway: str, prefix: str, url: str) -> None:
    """A rewritten URL leads through it, and no link of the site may."""
    file = "/home/ada/public_html/site.fcgi"
    environ = {"SCRIPT_NAME": url, "PATH_INFO": "/x", "SCRIPT_FILENAME": file}
    found = _seen(environ, gateway=gateway, prefix=prefix)
    assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == (prefix, "/x")


def test_elsewhere_no_name_is_forgotten() -> None:
    """A server that listens is never reached by a file's name."""
    environ = {"SCRIPT_NAME": "/x.fcgi", "PATH_INFO": "/y", "SCRIPT_FILENAME": "/srv/x.fcgi"}
    assert _seen(environ, gateway="fastcgi")["PATH_INFO"] == "/x.fcgi/y"
    other = {**environ, "SCRIPT_FILENAME": "/srv/z.fcgi"}
    assert _seen(other, gateway="fcgid")["PATH_INFO"] == "/x.fcgi/y"


@pytest.mark.parametrize("name", ["SCRIPT_URL", "REDIRECT_URL"])
def test_a_rewritten_url_decides_nothing(name: str) -> None:
    """Django would take the prefix from it, whatever SCRIPT_NAME says."""
    environ = {"SCRIPT_NAME": "", "PATH_INFO": "/x", name: "/evil/x"}
    assert name not in _seen(environ, gateway="fcgid")
