"""Tokens that an issuer signed (I15), with real keys, and a real server of keys over TLS."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import Group, User
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponse
from django.test import AsyncClient
from django.views.debug import SafeExceptionReporterFilter

from django_deploykit import signatures
from django_deploykit.identity import signed
from django_deploykit.middleware import ProxyIdentityMiddleware
from tests.identity.conftest import Front
from tests.identity.tokens import (
    AUDIENCE,
    EC_KEY,
    FORGED,
    ISSUER,
    RSA_KEY,
    RSA_OTHER,
    keys,
    token,
)
from tests.proxy.asking import scope


def section(place: str, **own: Any) -> dict[str, Any]:
    """What settings say of it."""
    demanded = {"HEADER": "X-Token", "ALGORITHM": "RS256", "ISSUER": ISSUER, "AUDIENCE": AUDIENCE}
    return {"USER": "jwt:email", "JWT": {**demanded, "KEYS": place}, **own}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of keys: two of RSA, one of an elliptic curve."""
    path = tmp_path / "keys.json"
    path.write_text(keys(one=RSA_KEY, two=RSA_OTHER, curve=EC_KEY), encoding="utf-8")
    return path


@pytest.fixture
def signing(front: Front, file: Path, alice: User) -> Front:
    """A site that believes them."""
    return front.believe(**section(str(file)))


def answer(front: Front, text: str, **more: str) -> tuple[int, str]:
    """Status and page for a token."""
    found = front.client().get("/", headers={"X-Token": text}, **more)
    return found.status_code, found.content.decode()


def test_i15_a_good_token_signs_in(signing: Front) -> None:
    """I15: whatever peer brings it, for the signature is its issuer's; and each of its keys."""
    assert answer(signing, token()) == (200, "alice")
    assert answer(signing, token(RSA_OTHER, kid="two")) == (200, "alice")
    assert answer(signing, token(aud=AUDIENCE), REMOTE_ADDR="203.0.113.9") == (200, "alice")
    assert answer(signing, token(exp=time.time() - 30)) == (200, "alice")


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED)
def test_i15_anything_else_is_refused(signing: Front, text: str) -> None:
    """I15: with 403, never taken for a request without a token, nor for anybody's."""
    status, page = answer(signing, text)
    assert (status, "alice" in page) == (403, False)


def test_i15_a_changed_token_is_refused(signing: Front) -> None:
    """I15: each part is under the signature."""
    head, payload, signature = token().split(".")
    _, root, _ = token(email="root").split(".")
    for text in (f"{head}.{root}.{signature}", f"{head}.{payload}.", f"{head}.{payload}"):
        assert answer(signing, text)[0] == 403


def test_i15_without_a_token(signing: Front, file: Path) -> None:
    """I15: nobody, whose session ends; with REQUIRED, refused. No other header names anybody."""
    client = signing.client()
    assert client.get("/", headers={"X-Token": token()}).content == b"alice"
    assert client.get("/", HTTP_REMOTE_USER="alice", REMOTE_USER="alice").content == b""
    assert SESSION_KEY not in client.session
    assert signing.believe(**section(str(file), REQUIRED=True)).client().get("/").status_code == 403


def test_i15_a_local_session_does_not_outlast_a_bad_token(signing: Front, root: User) -> None:
    """I15: the request that brings it is answered to nobody at all."""
    client = signing.client()
    client.force_login(root, "django.contrib.auth.backends.ModelBackend")
    assert client.get("/", headers={"X-Token": token(RSA_OTHER)}).status_code == 403


@pytest.mark.parametrize("name", [None, "", 5, ["alice"], {"a": "alice"}, True])
def test_i15_a_name_is_text(signing: Front, name: Any) -> None:
    """I3, I15: a claim that is missing, or is no text, names nobody."""
    assert answer(signing, token(email=name)) == (200, "")


def test_i15_claims_are_text_of_json(signing: Front) -> None:
    """I4, I15: not bytes of an environ; the same rules for names hold."""
    User.objects.create(username="zo\u00eb")
    found = signing.client().get("/", headers={"X-Token": token(email="zoe\u0308")})
    assert found.content.decode() == "zo\u00eb"
    assert answer(signing, token(email="alice,root"))[0] == 400


def test_i12_i15_groups_are_a_list(front: Front, file: Path, alice: User) -> None:
    """I12, I15: as tokens have them, or in one text; absent changes nothing, empty takes away."""
    Group.objects.create(name="Editors")
    more = {"GROUPS": "jwt:groups", "GROUP_MAP": {"press": "Editors"}}
    client = front.believe(**section(str(file), **more)).client()
    for said, member in [
        (["press", 5], True),
        (None, True),
        ([], False),
        ("all,press", True),
        (["press,all"], False),
    ]:
        client.get("/", headers={"X-Token": token(groups=said)})
        assert alice.groups.exists() is member


def test_i15_under_asgi(signing: Front) -> None:
    """I15: the same."""
    for text, status in ((token(), 200), (token(RSA_OTHER), 403)):
        found = signing.get_async(AsyncClient(), "/async/", X_Token=text)
        assert found.status_code == status


def test_i18_a_token_is_not_in_the_log(signing: Front, caplog: pytest.LogCaptureFixture) -> None:
    """I18: why it was refused is, with what it says quoted."""
    text = token(kid="a\nb")
    with caplog.at_level(logging.INFO, "django_deploykit"):
        answer(signing, text)
    (record,) = (one for one in caplog.records if one.name == "django_deploykit.identity")
    assert "X-Token is refused: " in record.getMessage()
    assert "\n" not in record.getMessage()
    assert text not in caplog.text


@pytest.mark.parametrize("text", [token(), token(RSA_OTHER)], ids=["good", "refused"])
def test_i18_a_token_is_in_no_report(signing: Front, text: str) -> None:
    """I18: of an error, which Django mails with all of META but what it takes for a secret."""
    found = signing.client().get("/", headers={"X-Token": text}).wsgi_request
    found_async = signing.get_async(AsyncClient(), "/async/", X_Token=text).asgi_request
    for request in (found, found_async):
        assert text not in str(SafeExceptionReporterFilter().get_safe_request_meta(request))
        assert request.headers["X-Token"] not in text


def test_i18_what_takes_its_place_tells_users_apart(signing: Front) -> None:
    """Otherwise a page that varies on the header would be cached for all of them as for one."""

    def kept(*text: str) -> str | None:
        headers = dict.fromkeys(["X-Token"], *text) if text else {}
        request = signing.client().get("/", headers=headers).wsgi_request
        return request.headers.get("X-Token")

    alices, bobs = token(), token(email="bob")
    assert kept(alices) == kept(alices)
    assert len({kept(), kept(alices), kept(bobs)}) == 3


def _silent(published: str) -> str:
    """The same keys without the algorithm that each is for."""
    found = json.loads(published)
    for key in found["keys"]:
        del key["alg"]
    return json.dumps(found)


RSA_ALGORITHMS = [one for one in signatures.ALGORITHMS if not one.startswith("ES")]


@pytest.mark.parametrize("algorithm", RSA_ALGORITHMS)
def test_i15_keys_that_state_no_algorithm(
    front: Front, alice: User, file: Path, algorithm: str
) -> None:
    """I15: have the one that settings name (RFC 7517 4.4); one that states another is refused."""
    believed = section(str(file))
    believed["JWT"]["ALGORITHM"] = algorithm
    text = token(algorithm=algorithm)
    assert answer(front.believe(**believed), text)[0] == (200 if algorithm == "RS256" else 403)
    file.write_text(_silent(file.read_text()))
    assert answer(front.believe(**believed), text) == (200, "alice")
    other = token(algorithm="RS256" if algorithm != "RS256" else "PS256")
    assert answer(front, other)[0] == 403


def test_i15_curves_that_state_no_algorithm(front: Front, alice: User, file: Path) -> None:
    """I15: have the one of their curve."""
    file.write_text(_silent(file.read_text()))
    believed = section(str(file))
    believed["JWT"]["ALGORITHM"] = "ES256"
    assert answer(front.believe(**believed), token(EC_KEY, "ES256", "curve")) == (200, "alice")
    assert answer(front, token())[0] == 403


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"keys": []}', '{"keys": [5]}'])
def test_i15_a_file_without_keys(front: Front, tmp_path: Path, text: str | None) -> None:
    """I15: the site does not start, and says why."""
    path = tmp_path / "none.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    front.believe(**section(str(path)))
    with pytest.raises(ImproperlyConfigured, match=r"\['JWT'\]: cannot read the keys in '/"):
        ProxyIdentityMiddleware(lambda request: HttpResponse())


@pytest.mark.parametrize("module", ["jwt", "cryptography"])
def test_i15_without_the_library(
    signing: Front, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    """I15: nor where PyJWT, or what it needs for these algorithms, is not installed."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImproperlyConfigured, match=r"pip install 'django-deploykit\[jwt\]'"):
        ProxyIdentityMiddleware(lambda request: HttpResponse())


# Keys at a URL

A_MINUTE, AN_HOUR, A_DAY = 60, 60 * 60, 24 * 60 * 60


class Issuer(ThreadingHTTPServer):
    """Serves keys over TLS, and counts how often."""

    published, asked, status = keys(one=RSA_KEY), 0, 200

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.is_asked, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server_port}/keys"


class _Keys(BaseHTTPRequestHandler):
    server: Issuer

    def do_GET(self) -> None:
        self.server.asked += 1
        self.server.is_asked.set()
        self.server.may_answer.wait(A_MINUTE)
        self.send_response(self.server.status)
        self.send_header("Location", "https://localhost/")
        self.end_headers()
        self.wfile.write(self.server.published.encode())

    def log_message(self, *args: object) -> None:
        """Nothing."""


@contextmanager
def _listening(certificate: trustme.LeafCert) -> Iterator[Issuer]:
    with Issuer(("127.0.0.1", 0), _Keys) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


class Clock:
    """What time it is."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(signed, "time", found)
    return found


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Issuer]:
    """An issuer whose certificate is trusted here."""
    authority = trustme.CA()
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with _listening(authority.issue_cert("localhost")) as server:
        yield server


def test_i15_keys_are_fetched(front: Front, alice: User, issuer: Issuer, clock: Clock) -> None:
    """I15: once an hour, and when a token names another key; not for every invented name."""
    client = front.believe(**section(issuer.url)).client()

    def status(text: str) -> int:
        return int(client.get("/", headers={"X-Token": text}).status_code)

    assert [status(token()), status(token()), issuer.asked] == [200, 200, 1]
    assert [status(token(kid="junk")), status(token(kid="junk2")), issuer.asked] == [
        403,
        403,
        1,
    ]
    clock.now += 11
    issuer.published = keys(two=RSA_OTHER)
    assert [status(token(RSA_OTHER, kid="two")), issuer.asked] == [200, 2]
    assert [status(token()), issuer.asked] == [403, 2]
    clock.now += 60 * 60 + 1
    assert [status(token(RSA_OTHER, kid="two")), issuer.asked] == [200, 3]


@pytest.mark.parametrize("status", [500, 302])
def test_i15_where_no_keys_are_to_be_had(
    front: Front, alice: User, issuer: Issuer, clock: Clock, status: int
) -> None:
    """I15: known ones are good for a day; after that, and before any is known, nobody is let in
    as nobody: 503. A redirect is not followed."""
    client = front.believe(**section(issuer.url)).client()

    def answered() -> int:
        return int(client.get("/", headers={"X-Token": token()}).status_code)

    issuer.status = status
    assert [answered(), answered(), issuer.asked] == [503, 503, 1]
    clock.now += 11
    issuer.status = 200
    assert answered() == 200
    issuer.status = status
    clock.now += 60 * 60 + 1
    assert [answered(), answered(), issuer.asked] == [200, 200, 3]
    clock.now += 24 * 60 * 60
    assert answered() == 503
    assert client.get("/").status_code == 200


def test_i15_fetched_keys_that_state_no_algorithm(
    front: Front, alice: User, issuer: Issuer, clock: Clock
) -> None:
    """I15: the same, from a URL."""
    issuer.published = _silent(keys(one=RSA_KEY))
    believed = section(issuer.url)
    believed["JWT"]["ALGORITHM"] = "PS512"
    assert answer(front.believe(**believed), token(algorithm="PS512")) == (200, "alice")


def test_i15_what_is_no_set_of_keys(
    front: Front, alice: User, issuer: Issuer, clock: Clock
) -> None:
    """I15: a page of another kind holds no keys: 503."""
    client = front.believe(**section(issuer.url)).client()
    for page in ("<html>", "[]", "{}", '{"keys": [{"kty": "oct", "k": "AA"}]}'):
        issuer.published = page
        clock.now += 11
        assert client.get("/", headers={"X-Token": token()}).status_code == 503


def test_i15_the_keys_server_has_to_be_itself(
    front: Front, alice: User, issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I15: with a certificate that nobody here trusts, it is not asked."""
    monkeypatch.delenv("SSL_CERT_FILE")
    client = front.believe(**section(issuer.url)).client()
    assert client.get("/", headers={"X-Token": token()}).status_code == 503
    assert issuer.asked == 0


# An issuer that takes its time

Claims = Callable[[str], "Future[Any]"]


@pytest.fixture
def claims(issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Claims]:
    """Has a token verified in a thread, by one verifier, which waits for as long as it takes."""
    monkeypatch.setattr(signed, "_PATIENCE", A_MINUTE)
    believed = section(issuer.url)["JWT"]
    signature = signatures.read(believed, pytest.fail)
    assert signature is not None
    verifier = signed.Verifier(signature)
    with ThreadPoolExecutor(8) as pool:
        yield lambda text: pool.submit(verifier.claims, text)
        issuer.may_answer.set()


def _hold(issuer: Issuer) -> None:
    """From now on it answers nobody, until it may."""
    issuer.is_asked.clear()
    issuer.may_answer.clear()


def test_i15_nobody_with_a_known_key_waits(issuer: Issuer, clock: Clock, claims: Claims) -> None:
    """I15: while keys are fetched, whether because known ones are old or for another name; whoever
    needs another key waits for those, and does not have them fetched once more."""
    claims(token()).result(A_MINUTE)
    for since, first in ((AN_HOUR + 1, token()), (11, token(kid="junk"))):
        clock.now += since
        _hold(issuer)
        asking = claims(first)
        assert issuer.is_asked.wait(A_MINUTE)
        assert claims(token()).result(10)["email"] == "alice"
        assert not asking.done()
        issuer.may_answer.set()
        wait([asking], A_MINUTE)
    assert issuer.asked == 3


def test_i15_whose_key_is_unknown_waits(issuer: Issuer, clock: Clock, claims: Claims) -> None:
    """I15: for the fetch that runs, which may bring it."""
    claims(token()).result(A_MINUTE)
    clock.now += AN_HOUR + 1
    issuer.published = keys(one=RSA_KEY, two=RSA_OTHER)
    _hold(issuer)
    asking = claims(token())
    assert issuer.is_asked.wait(A_MINUTE)
    waiting = claims(token(RSA_OTHER, kid="two"))
    assert not wait([waiting], 0.2).done
    issuer.may_answer.set()
    assert [one.result(A_MINUTE)["email"] for one in (asking, waiting)] == ["alice", "alice"]
    assert issuer.asked == 2


def test_i15_a_key_older_than_a_day_is_not_used(
    issuer: Issuer, clock: Clock, claims: Claims
) -> None:
    """I15: not while others are fetched either, nor when that was in vain."""
    claims(token()).result(A_MINUTE)
    clock.now += A_DAY + 1
    issuer.status = 500
    _hold(issuer)
    waiting = [claims(token()) for _ in range(3)]
    assert issuer.is_asked.wait(A_MINUTE)
    assert not wait(waiting, 0.2).done
    issuer.may_answer.set()
    assert [type(one.exception(A_MINUTE)) for one in waiting] == [signed.KeysUnavailable] * 3
    assert issuer.asked == 2


@pytest.mark.parametrize("status", [200, 500])
def test_i15_keys_that_take_long_are_not_fetched_again_at_once(
    issuer: Issuer, clock: Clock, claims: Claims, status: int
) -> None:
    """I15: between two fetches there is a pause, however long the first one took."""
    issuer.status = status
    _hold(issuer)
    waiting = [claims(token(kid="junk")) for _ in range(3)]
    assert issuer.is_asked.wait(A_MINUTE)
    clock.now += 30
    issuer.may_answer.set()
    refused = PermissionDenied if status == 200 else signed.KeysUnavailable
    assert [type(one.exception(A_MINUTE)) for one in waiting] == [refused] * 3
    clock.now += 10
    assert type(claims(token(kid="junk")).exception(A_MINUTE)) is refused
    assert issuer.asked == 1
    clock.now += 1
    assert type(claims(token(kid="junk")).exception(A_MINUTE)) is refused
    assert issuer.asked == 2


@pytest.mark.usefixtures("transactional_db")
def test_i15_nobody_else_waits_under_asgi(
    front: Front, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I15: a fetch holds the request whose token needs it, and no other of the same loop, be its
    view of either kind: Django gives each request a thread of its own."""
    monkeypatch.setattr(signed, "_PATIENCE", A_MINUTE)
    front.believe(**section(issuer.url))
    site = ASGIHandler()

    async def status(path: str, *headers: tuple[str, str]) -> int:
        talk = ApplicationCommunicator(site, scope(*headers, path=path))
        await talk.send_input({"type": "http.request", "body": b""})
        start = await talk.receive_output(A_MINUTE)
        await talk.receive_output(A_MINUTE)
        await talk.wait(A_MINUTE)
        return int(start["status"])

    async def ask() -> None:
        _hold(issuer)
        held = asyncio.create_task(status("/async/", ("X-Token", token())))
        assert await asyncio.to_thread(issuer.is_asked.wait, A_MINUTE)
        assert [await status("/async/"), await status("/")] == [200, 200]
        assert not held.done()
        issuer.may_answer.set()
        assert await held == 200

    asyncio.run(ask())


def test_i15_keys_are_as_old_as_the_question(issuer: Issuer, clock: Clock, claims: Claims) -> None:
    """I15: what was published may have changed while the answer was on its way."""
    _hold(issuer)
    asking = claims(token())
    assert issuer.is_asked.wait(A_MINUTE)
    clock.now += 30
    issuer.may_answer.set()
    assert asking.result(A_MINUTE)["email"] == "alice"
    issuer.status = 500
    clock.now += A_DAY - 29
    assert type(claims(token()).exception(A_MINUTE)) is signed.KeysUnavailable
