"""Who is trusted, and what they may say (the T statements)."""

from __future__ import annotations

import importlib.util
import io
import logging
import socket
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from django_deploykit import contract, trust
from django_deploykit.middleware import TrustedProxyMiddleware
from django_deploykit.proxy.configured import judge
from django_deploykit.proxy.decide import Judge
from django_deploykit.proxy.decision import Refused
from django_deploykit.proxy.requests import RequestDoor
from django_deploykit.proxy.wsgi import WsgiDoor
from django_deploykit.trust import Policy
from tests.proxy.asking import (
    PROXY,
    VISITOR,
    ask,
    decided,
    environ,
    policy,
    problems,
    scope,
    unix_listener,
    written,
    written_scope,
)

NOBODY = Policy("nothing")
EVERY_HEADER = (*contract.CLIENT_FORBIDDEN_HEADERS, contract.PROOF_HEADER)


# T1


@pytest.mark.parametrize("peer", [PROXY, "127.0.0.1", "::1", VISITOR, ""])
@pytest.mark.parametrize("name", EVERY_HEADER)
def test_T1_nothing_configured_believes_nothing(name: str, peer: str) -> None:
    """T1. With no policy, a header changes nothing and is gone, whoever sent it."""
    key = contract.environ_key(name)
    spoofed, honest = written(NOBODY, peer=peer, **{key: "https"}), written(NOBODY, peer=peer)
    decisions = [made.pop(contract.DECISION_KEY) for made in (spoofed, honest)]
    for made in (spoofed, honest):
        made.pop("wsgi.input")
    assert spoofed == honest
    assert not decisions[0].trusted
    assert decisions[0].place == decisions[1].place
    assert decisions[0].client == decisions[1].client


@pytest.mark.parametrize("name", EVERY_HEADER)
def test_T1_nothing_configured_cleans_the_scope(name: str) -> None:
    """T1. Under ASGI too, and the rest of the scope stays as it was."""
    new = written_scope(NOBODY, (name, "https"), peer="127.0.0.1")
    plain = scope(peer="127.0.0.1")
    assert {key: new[key] for key in plain} == plain


def test_T1_the_log_is_told_once(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """T1. One warning per process says what was removed, without its value."""
    middleware = TrustedProxyMiddleware(lambda request: HttpResponse())
    with caplog.at_level(logging.WARNING, "django.security"):
        for _ in range(3):
            middleware(RequestFactory().get("/", headers={"Remote-User": "admin"}))
    (record,) = caplog.records
    assert "Remote-User" in record.getMessage()
    assert "admin" not in record.getMessage()


# T2


def test_T2_an_address_has_to_match() -> None:
    """T2. A peer in a network is trusted, for that reason; its neighbour is not."""
    decision = ask(policy(), HTTP_X_FORWARDED_FOR=VISITOR)
    assert (decision.trusted, decision.client.address) == (True, VISITOR)
    assert decision.reason == "its address is in 10.0.0.0/8"
    decision = ask(policy(), peer="11.0.0.1", HTTP_X_FORWARDED_FOR=VISITOR)
    assert (decision.trusted, decision.client.address) == (False, "11.0.0.1")


def test_T2_a_unix_socket_has_to_be_proved() -> None:
    """T2. No client address is no proof; the family of the server's socket is."""
    unix = policy(TRUSTED=["unix"])
    said = {"peer": "", "HTTP_X_FORWARDED_FOR": VISITOR}
    assert not ask(unix, **said).trusted
    with unix_listener() as listener:
        assert ask(unix, **said, **{"gunicorn.socket": listener}).client.address == VISITOR
    with socket.socket() as listener:
        assert not ask(unix, **said, **{"gunicorn.socket": listener}).trusted


@pytest.mark.parametrize(
    ("keys", "trusted"),
    [
        ({"peer": None, "server": ("/run/site.sock", None)}, True),
        ({"peer": None, "server": None}, False),
        ({"peer": None}, False),
        ({"peer": None, "server": ("backend", None)}, False),
        ({"peer": "10.0.0.1", "server": ("/run/site.sock", None)}, False),
    ],
)
def test_T2_a_unix_socket_has_to_be_proved_under_asgi(keys: dict[str, Any], trusted: bool) -> None:
    """T2. A server that names the path of its socket (ASGI 2.2) proves it."""
    assert decided(written_scope(policy(TRUSTED=["unix"]), **keys)).trusted is trusted


def test_T2_a_gateway_speaks_without_headers() -> None:
    """T2. Keys that are no headers are a gateway's own; headers are still the client's."""
    gateway = policy(TRUSTED=["gateway"])
    made = environ(peer=VISITOR, HTTP_X_FORWARDED_PROTO="https", REMOTE_USER="alice")
    decision = WsgiDoor(Judge(gateway)).enter(made)
    assert decision.trusted
    assert (made["wsgi.url_scheme"], made["REMOTE_ADDR"]) == ("http", VISITOR)
    assert made["REMOTE_USER"] == "alice"
    assert "HTTP_X_FORWARDED_PROTO" not in made


def test_T2_a_connection_over_http_is_no_gateway() -> None:
    """T2. Where the server shows that it took headers off a socket, "gateway" does not hold."""
    gateway = policy(TRUSTED=["gateway"])
    with socket.socket() as listener:
        assert not ask(gateway, **{"gunicorn.socket": listener}).trusted
    assert not decided(written_scope(gateway)).trusted


def test_T2_a_proxy_behind_a_gateway_may_speak() -> None:
    """T2. Both together: the gateway says who connected, and that is a proxy."""
    both = policy(TRUSTED=[["gateway", "10.0.0.0/8"]])
    assert ask(both, HTTP_X_FORWARDED_FOR=VISITOR).client.address == VISITOR
    assert not ask(both, peer="11.0.0.1", HTTP_X_FORWARDED_FOR=VISITOR).trusted


@pytest.fixture
def secret(tmp_path: Path) -> str:
    (tmp_path / "secret").write_text("correct-horse-battery\n")
    return f"secret:{tmp_path / 'secret'}"


@pytest.mark.parametrize(
    ("said", "trusted"),
    [
        ("correct-horse-battery", True),
        ("correct-horse-battery\n", False),
        ("Correct-horse-battery", False),
        ("correct-horse-battery,correct-horse-battery", False),
        ("", False),
        ("\xe9", False),
        (None, False),
    ],
)
def test_T2_a_secret_is_compared_and_never_kept(
    secret: str, said: str | None, trusted: bool
) -> None:
    """T2. The secret makes any peer trusted; it is nowhere afterwards."""
    keys = {contract.environ_key(contract.PROOF_HEADER): said} if said is not None else {}
    made = written(policy(TRUSTED=[secret]), peer=VISITOR, **keys)
    decision = made.pop(contract.DECISION_KEY)
    assert decision.trusted is trusted
    assert not said or said not in (str(made) + str(decision))


def test_T2_secrets_are_rotated(secret: str, tmp_path: Path) -> None:
    """T2. Of several secrets each counts, so that proxies can change theirs one by one."""
    (tmp_path / "next").write_text("another-horse-battery")
    both = policy(TRUSTED=[secret, f"secret:{tmp_path / 'next'}"])
    for said in ("correct-horse-battery", "another-horse-battery"):
        assert ask(both, peer=VISITOR, HTTP_DEPLOYKIT_PROXY_SECRET=said).trusted


def test_T2_conditions_of_a_group_hold_together(secret: str) -> None:
    """T2. With an address and a secret in one group, neither is enough."""
    both = policy(TRUSTED=[["10.0.0.0/8", secret]])
    said = {"HTTP_DEPLOYKIT_PROXY_SECRET": "correct-horse-battery"}
    assert ask(both, **said).trusted
    assert not ask(both).trusted
    assert not ask(both, peer=VISITOR, **said).trusted


@pytest.mark.parametrize("content", [None, "short"])
def test_T2_a_bad_secret_stops_the_process(
    settings: Any, tmp_path: Path, content: str | None
) -> None:
    """T2. A secret that cannot be read, or can be guessed, is named at the start."""
    if content:
        (tmp_path / "secret").write_text(content)
    section = {"TRUSTED": [f"secret:{tmp_path / 'secret'}"], "HEADERS": ["X-Forwarded-For"]}
    settings.DEPLOYKIT = {"PROXY": section}
    with pytest.raises(ImproperlyConfigured, match="secret") as raised:
        judge("nginx/http")
    assert content is None or content not in str(raised.value)


# T3


@pytest.mark.parametrize(
    ("entry", "network"),
    [
        ("10.0.0.5", "10.0.0.5/32"),
        ("2001:db8::5", "2001:db8::5/128"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("::ffff:10.0.0.5", "10.0.0.5/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
    ],
)
def test_T3_an_address_without_mask_is_one_host(entry: str, network: str) -> None:
    """T3. /32 or /128, never less (Grafana's CVE-2026-33376)."""
    assert policy(TRUSTED=[entry]).networks == (ip_network(network),)


@pytest.mark.parametrize(
    "entry",
    [
        *(
            "10.0.0.1/8",
            "*",
            "0.0.0.0/0",
            "::/0",
            "::ffff:0:0/96",
            "proxy.example.com",
            "localhost",
            "",
            "10.0.0",
        ),
        *("10.0.0.1:80", "UNIX", "front", "secret:", "secret:relative", "private_ranges"),
        *(5, None, 167772160, [], ["10.0.0.1", "*"], {"10.0.0.1"}, True, b"10.0.0.1"),
    ],
)
def test_T3_what_is_no_network_is_an_error(entry: Any) -> None:
    """T3. Host bits, names, everybody: a problem each, and nobody is trusted by it."""
    found = trust._Reader({"TRUSTED": [entry], "HEADERS": ["X-Forwarded-For"]})
    assert found.policy().trusted == ()
    assert found.problems


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("::ffff:10.0.0.1", True),
        ("::ffff:11.0.0.1", False),
        ("fe80::1%eth0", True),
        ("fe80::1", True),
        ("fe80::2%eth0", False),
    ],
)
def test_T3_addresses_are_compared_plainly(peer: str, trusted: bool) -> None:
    """T3. An IPv4 address in IPv6's clothes is that address, and a zone is no part of one."""
    known = policy(TRUSTED=["10.0.0.0/8", "fe80::1"])
    assert ask(known, peer=peer).trusted is trusted


# T4


@pytest.mark.parametrize("peer", ["", None, "unknown", "localhost", "10.0.0.1, 10.0.0.1"])
def test_T4_no_address_is_never_trusted(peer: Any) -> None:
    """T4. What is no address is in no network."""
    assert not ask(policy(TRUSTED=["10.0.0.0/8", "::/1", "0.0.0.0/1"]), peer=peer).trusted


# T5


def test_T5_headers_count_one_by_one() -> None:
    """T5. A trusted peer's header counts only if it is listed; the others are removed."""
    some = policy(HEADERS=["X-Forwarded-Proto"])
    made = written(
        some,
        HTTP_X_FORWARDED_PROTO="https",
        HTTP_X_FORWARDED_HOST="evil.example",
        HTTP_X_FORWARDED_FOR=VISITOR,
        HTTP_X_SCRIPT_NAME="/evil",
        HTTP_X_REAL_IP=VISITOR,
    )
    assert made["wsgi.url_scheme"] == "https"
    assert (made["HTTP_HOST"], made["REMOTE_ADDR"], made["SCRIPT_NAME"]) == (
        "example.com",
        PROXY,
        "",
    )
    assert not set(made) & set(contract.CLIENT_FORBIDDEN_KEYS)


# T6


def test_T6_one_family_only() -> None:
    """T6. Both families cannot be allowed, so they cannot disagree; the other one is removed."""
    (problem,) = problems(TRUSTED=["unix"], HEADERS=["Forwarded", "X-Forwarded-For"])
    assert "one family" in problem
    made = written(
        policy(HEADERS=["Forwarded"]),
        HTTP_FORWARDED=f"for={VISITOR};proto=https",
        HTTP_X_FORWARDED_FOR="192.0.2.1",
        HTTP_X_FORWARDED_PROTO="http",
    )
    assert (made["REMOTE_ADDR"], made["wsgi.url_scheme"]) == (VISITOR, "https")
    assert not set(made) & set(contract.CLIENT_FORBIDDEN_KEYS)
    made = written(policy(), HTTP_FORWARDED="for=192.0.2.1", HTTP_X_FORWARDED_FOR=VISITOR)
    assert made["REMOTE_ADDR"] == VISITOR


# T7


@pytest.mark.parametrize("name", EVERY_HEADER)
def test_T7_an_underscore_never_counts(name: str) -> None:
    """T7. Another spelling of a protected name is dropped; beside the true one it is refused."""
    folded = name.replace("-", "_")
    if folded == name:
        new = written_scope(policy(), (name.upper(), "x"))
        assert [key for key, _ in new["headers"]] == [b"host"]
        return
    new = written_scope(policy(), (folded, "https"))
    assert [key for key, _ in new["headers"]] == [b"host"]
    assert decided(new).original == {}
    with pytest.raises(Refused) as refused:
        written_scope(policy(), (folded, "x"), (name, "x"))
    assert refused.value.status == 400


def test_T7_nothing_is_left_of_a_request_that_is_refused(settings: Any) -> None:
    """T1, T7. The page that says 400 finds no header of a proxy's either, however many spellings
    there were; nor does a report of it."""
    settings.DEPLOYKIT = {"PROXY": {"TRUSTED": [PROXY], "HEADERS": ["X-Forwarded-For"]}}
    both = (("X_Forwarded_For", "x"), ("X-Forwarded-For", VISITOR))
    said = [(name, "x") for name in EVERY_HEADER if name != "X-Forwarded-For"]
    request = ASGIRequest(scope(*both, *said), io.BytesIO())
    with pytest.raises(Refused, match="two spellings"):
        RequestDoor().enter(request)
    assert not set(request.META) & set(map(contract.environ_key, EVERY_HEADER))
    assert [name for name, _ in request.scope["headers"]] == [b"host"]


# T8


def test_T8_a_required_header_is_never_defaulted() -> None:
    """T8. Missing from a trusted peer it is refused: naming it in Connection makes some proxies
    drop it. Of others it is not asked."""
    strict = policy(REQUIRED=["X-Forwarded-Proto"])
    for said in ({}, {"HTTP_X_FORWARDED_PROTO": ""}):
        with pytest.raises(Refused, match="X-Forwarded-Proto") as refused:
            ask(strict, **said)
        assert refused.value.status == 400
    assert not ask(strict, peer=VISITOR).trusted


# T9


def test_T9_originals_are_for_the_log() -> None:
    """T9. What was removed stands in the decision, and nowhere else."""
    made = written(policy(), HTTP_X_FORWARDED_FOR=VISITOR, HTTP_REMOTE_USER="alice")
    decision = made.pop(contract.DECISION_KEY)
    assert decision.original == {"X-Forwarded-For": VISITOR, "Remote-User": "alice"}
    assert "alice" not in str(made)


# T10


def test_T10_a_second_time_changes_nothing() -> None:
    """T10. The decision is made once; headers that appear later are not looked at."""
    made = environ(HTTP_X_FORWARDED_FOR=VISITOR)
    door = WsgiDoor(Judge(policy()))
    first = door.enter(made)
    before = dict(made)
    assert door.enter(made) is first
    assert made == before
    assert WsgiDoor(Judge(NOBODY)).enter(made) is first


@pytest.mark.parametrize("home", ["django_deploykit", "django_deploykit.proxy"])
def test_T10_twice_in_middleware_is_an_error(settings: Any, home: str) -> None:
    """T10. Nobody means to list it twice, by whichever name."""
    names = [f"{place}.middleware.TrustedProxyMiddleware" for place in ("django_deploykit", home)]
    settings.MIDDLEWARE = names
    with pytest.raises(ImproperlyConfigured, match="more than once"):
        TrustedProxyMiddleware(lambda request: HttpResponse())


# What an emitted stack is believed


@pytest.mark.parametrize(
    ("stack", "peer", "trusted", "client"),
    [
        ("", "127.0.0.1", False, "127.0.0.1"),
        ("nginx/http", "127.0.0.1", True, VISITOR),
        ("nginx/http", "::1", True, VISITOR),
        ("nginx/http", PROXY, False, PROXY),
        ("nginx/http", "", False, ""),
        ("nginx/uwsgi", "192.0.2.1", True, "192.0.2.1"),
        ("apache/mod_wsgi", "192.0.2.1", True, "192.0.2.1"),
        ("gunicorn/http", "127.0.0.1", False, "127.0.0.1"),
        ("wsgi/script", "127.0.0.1", False, "127.0.0.1"),
        ("nginx", "127.0.0.1", False, "127.0.0.1"),
        ("evil/http", "127.0.0.1", False, "127.0.0.1"),
    ],
)
def test_trust_follows_the_stack(
    stack: str,
    peer: str,
    trusted: bool,
    client: str,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    """With nothing set by hand, the process believes the front that it was emitted for."""
    monkeypatch.setenv(contract.STACK_KEY, stack)
    settings.DEPLOYKIT = {"SITE": {"ENVIRON": {"REGION": "eu"}}}
    seen: list[HttpRequest] = []
    middleware = TrustedProxyMiddleware(lambda request: seen.append(request) or HttpResponse())
    headers = {
        "X-Forwarded-For": VISITOR,
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "X-Deploykit-Region": "north",
    }
    middleware(RequestFactory(REMOTE_ADDR=peer).get("/", headers=headers))
    (request,) = seen
    assert request.deploykit.trusted is trusted
    assert request.META["REMOTE_ADDR"] == client
    assert request.is_secure() is (client == VISITOR)
    assert request.META.get("REGION") == ("north" if client == VISITOR else None)
    assert request.META["HTTP_HOST" if "HTTP_HOST" in request.META else "SERVER_NAME"] == (
        "testserver"
    )


@pytest.mark.parametrize(("label", "trusted"), [("apache/mod_wsgi", True), ("apache/http", False)])
def test_a_front_that_is_the_gateway_says_its_name(
    label: str, trusted: bool, settings: Any
) -> None:
    """The request variable of an emitted Apache counts; one that speaks HTTP could set none."""
    settings.DEPLOYKIT = {}
    seen: list[HttpRequest] = []
    middleware = TrustedProxyMiddleware(lambda request: seen.append(request) or HttpResponse())
    middleware(RequestFactory().get("/", **{contract.STACK_KEY: label}))
    assert seen[0].deploykit.trusted is trusted


def test_the_section_wins_over_the_stack(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """What somebody wrote down is not added to by what was guessed."""
    monkeypatch.setenv(contract.STACK_KEY, "nginx/http")
    settings.DEPLOYKIT = {"PROXY": {"TRUSTED": ["unix"], "HEADERS": ["X-Forwarded-Proto"]}}
    assert judge("nginx/http").policy == policy(TRUSTED=["unix"], HEADERS=["X-Forwarded-Proto"])


@pytest.mark.parametrize("section", [{"TRUST": ["unix"]}, ["unix"], None])
def test_a_misspelled_section_stops_the_process(section: Any, settings: Any) -> None:
    """A key that nobody reads was meant to forbid or to allow something."""
    settings.DEPLOYKIT = {"PROXY": section}
    with pytest.raises(ImproperlyConfigured, match=r"DEPLOYKIT\['PROXY'\]"):
        judge("nginx/http")


def test_a_gateway_named_twice_is_still_one() -> None:
    """T2. No arrangement of the word lets a gateway's headers count."""
    twice = policy(TRUSTED=[["gateway", "gateway"]])
    assert ask(twice, peer=VISITOR, HTTP_X_FORWARDED_FOR="1.1.1.1").client.address == VISITOR


def test_every_problem_is_named(settings: Any) -> None:
    """Half a policy is none: the process does not start, and everything is said at once."""
    settings.DEPLOYKIT = {
        "PROXY": {
            "TRUSTED": "unix",
            "HEADERS": ["X-Forwared-For"],
            "REQUIRED": ["X-Forwarded-Host"],
            "HOPS": 0,
            "PREFIX": {"MODE": "both", "ALLOWED": ["app"], "COOKIES": True},
            "VHOST": {"MARKER": "a/b", "REQUIRED": "yes", "EXEMPT": "/up"},
        }
    }
    with pytest.raises(ImproperlyConfigured) as raised:
        judge("nginx/http")
    message = str(raised.value)
    for part in (
        *("'unix' is not a list", "Did you mean 'X-Forwarded-For'?", "unknown header", "HOPS"),
        *("MODE='both'", "'app' is no URL prefix", "'COOKIES'", "MARKER='a/b'", "REQUIRED='yes'"),
        "'/up' is not a list",
    ):
        assert part in message


@pytest.mark.parametrize("key", ["VHOST", "PREFIX"])
@pytest.mark.parametrize("value", [False, 0, "", [], "vhost"])
def test_a_switch_is_no_dict(key: str, value: Any) -> None:
    """Whoever writes False means that it is off, and not what an empty dict turns on."""
    (said,) = problems(TRUSTED=["unix"], **{key: value})
    assert said == f"DEPLOYKIT['PROXY'][{key!r}]: {value!r} is not a dict."
    assert problems(TRUSTED=["unix"], **{key: None}) == []


def test_a_socket_in_another_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """T2. Where eventlet has put a wrapper in the place of socket.socket, its family counts."""

    class Wrapper:
        family = socket.AF_UNIX

    monkeypatch.setattr(socket, "socket", Wrapper)
    spec = importlib.util.find_spec(WsgiDoor.__module__)
    assert spec
    assert spec.loader
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    made = environ(peer="", HTTP_X_FORWARDED_FOR=VISITOR, **{"gunicorn.socket": Wrapper()})
    decision = fresh.WsgiDoor(Judge(policy(TRUSTED=["unix"]))).enter(made)
    assert decision.client.address == VISITOR


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_socket_of_another_class_tells_its_scheme(scheme: str) -> None:
    """T1. Where gevent has come after us (gunicorn --preload), its own sockets know it too."""

    class Socket:
        family = socket.AF_INET

    class TlsSocket(Socket):
        def getpeercert(self) -> None:
            """As every socket of TLS can."""

    other = "https" if scheme == "http" else "http"
    listener = TlsSocket() if scheme == "https" else Socket()
    keys = {"wsgi.url_scheme": other, "gunicorn.socket": listener}
    assert written(NOBODY, **keys)["wsgi.url_scheme"] == scheme


def test_gunicorn_may_not_believe_a_scheme_before_us() -> None:
    """T1. gunicorn believes X-Forwarded-Proto of peers on loopback by default; its socket knows."""
    with socket.socket() as listener:
        keys = {"wsgi.url_scheme": "https", "gunicorn.socket": listener}
        assert written(NOBODY, **keys)["wsgi.url_scheme"] == "http"
    assert written(NOBODY, **{"wsgi.url_scheme": "https"})["wsgi.url_scheme"] == "https"
