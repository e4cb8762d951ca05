"""The event loop of the authorizer: nobody's silence keeps another waiting (R39)."""

from __future__ import annotations

import contextlib
import errno
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from django_deploykit.auth import conversation
from django_deploykit.auth import server as server_module
from django_deploykit.auth.accounts import Account
from django_deploykit.auth.authorizer import Authorizer
from django_deploykit.auth.server import Server
from django_deploykit.auth.signals import access_denied, access_granted
from django_deploykit.auth.sockets import listening
from tests.auth import fastcgi_client as fcgi
from tests.auth.conftest import PASSWORD, CountedHasher, basic, hashes, serving
from tests.auth.fastcgi_client import ask


class Patient(Authorizer):
    """Knows nothing at once."""

    def at_once(self, role: int, params: dict[str, str]) -> bytes | None:
        return None


@contextlib.contextmanager
def connected(address: Any, number: int) -> Iterator[list[socket.socket]]:
    """So many connections, on which nothing was said yet."""
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(socket.create_connection(address)) for _ in range(number)]
        for one in made:
            one.settimeout(30)
        yield made


def flood(connection: socket.socket) -> None:
    """Ask what has an answer, and read none, until the other side reads no more."""
    question = fcgi.record(fcgi.GET_VALUES, number=0) * 4096
    connection.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while connection.send(question):
            pass
    connection.settimeout(30)


# What is known


def params(**more: str) -> dict[str, str]:
    """A question with a password that is right."""
    asked = {"REQUEST_URI": "/area/x", "REQUEST_METHOD": "GET", "REMOTE_ADDR": "192.0.2.1"}
    return {**asked, "HTTP_AUTHORIZATION": basic("zoé", PASSWORD), **more}


def test_r39_what_is_known_is_answered_at_once(
    zoe: User, auth: Callable[..., None], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Without a hash or a query, as any thread would answer it; that nobody asks, as well."""
    auth(REVALIDATE=60)
    made = Authorizer("active", "x")
    asked = params()
    assert made.at_once(fcgi.AUTHORIZER, asked) is None
    assert made(fcgi.AUTHORIZER, asked).startswith(b"Status: 200 ")
    assert made.at_once(fcgi.AUTHORIZER, asked) is None  # The row is read anew after a hash.
    said = made(fcgi.AUTHORIZER, asked)
    assert hashes() == 1
    with django_assert_num_queries(0):
        assert made.at_once(fcgi.AUTHORIZER, asked) == said
        nobody = made.at_once(fcgi.AUTHORIZER, params(HTTP_AUTHORIZATION=""))
    assert (nobody or b"").startswith(b"Status: 401 ")
    assert hashes() == 0
    assert asked == params()


def _anybody(user: Any, request: Any) -> bool:
    return True


def test_r39_what_takes_its_time_is_left_to_a_thread(
    zoe: User,
    client: Client,
    auth: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    """A hash, a query, a cache that is shared, code of the project, the log: nothing is done."""
    auth(REVALIDATE=60, POLICIES={"own": _anybody})
    client.force_login(zoe)
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    made = Authorizer("active", "x", token="s3cret", site="shop")
    shown = {"DEPLOYKIT_TOKEN": "s3cret", "DEPLOYKIT_SITE": "shop"}
    for _ in range(2):
        assert made(fcgi.AUTHORIZER, params(**shown)).startswith(b"Status: 200 ")
    hashes(), caplog.clear()
    waits: list[dict[str, str]] = [
        {"HTTP_AUTHORIZATION": basic("zoé", "wrong")},
        {"HTTP_AUTHORIZATION": basic("nobody", PASSWORD)},
        {"HTTP_AUTHORIZATION": "", "HTTP_COOKIE": cookie},
        {"HTTP_AUTHORIZATION": "", "HTTP_ACCEPT": "text/html"},  # the way to log in
        {"DEPLOYKIT_POLICY": "own"},
        {"DEPLOYKIT_POLICY": "perm:auth.add_user"},
        {"DEPLOYKIT_POLICY": "group:editors"},
        {"DEPLOYKIT_POLICY": "staff"},  # a refusal, which is logged
        {"DEPLOYKIT_POLICY": "unknown"},
        {"DEPLOYKIT_TOKEN": "wrong"},
        {"DEPLOYKIT_SITE": "blog"},
    ]
    with django_assert_num_queries(0):
        for more in waits:
            asked = params(**{**shown, **more})
            assert made.at_once(fcgi.AUTHORIZER, asked) is None, more
    assert (hashes(), caplog.text) == (0, "")


@pytest.mark.parametrize(
    "configured",
    [
        {"AUTHENTICATION_BACKENDS": ["tests.people.backends.Choosy"]},
        {"DEPLOYKIT": {"AUTH": {"REVALIDATE": 60, "THROTTLE": {"SHARED": "default"}}}},
        {"DEPLOYKIT": {"AUTH": {"REVALIDATE": 0}}},
    ],
    ids=["backend", "throttle", "revalidate"],
)
def test_r39_what_others_have_a_say_in_is_left_to_a_thread(
    zoe: User, settings: Any, configured: dict[str, Any]
) -> None:
    """A backend's own test of users, counts that processes share, a row that is always read."""
    settings.DEPLOYKIT = {"AUTH": {"REVALIDATE": 60}}
    for name, value in configured.items():
        setattr(settings, name, value)
    made = Authorizer("active", "x")
    for _ in range(2):
        assert made(fcgi.AUTHORIZER, params()).startswith(b"Status: 200 ")
    assert made.at_once(fcgi.AUTHORIZER, params()) is None


def test_r39_signals_are_sent_by_a_thread(zoe: User, auth: Callable[..., None]) -> None:
    """Once, and only by it: their receivers may write into a database."""
    auth(REVALIDATE=60)
    made, sent = Authorizer("active", "x"), []

    def receive(sender: Any, **kwargs: Any) -> None:
        sent.append(kwargs.get("reason", "granted"))

    for _ in range(2):
        made(fcgi.AUTHORIZER, params())
    for each in (access_granted, access_denied):
        each.connect(receive)
    try:
        for asked in (params(), params(HTTP_AUTHORIZATION="")):
            assert made.at_once(fcgi.AUTHORIZER, asked) is None
        assert sent == []
        made(fcgi.AUTHORIZER, params())
        assert sent == ["granted"]
    finally:
        for each in (access_granted, access_denied):
            each.disconnect(receive)


def test_r39_who_is_known_passes_while_every_thread_waits(
    zoe: User, auth: Callable[..., None]
) -> None:
    """For a hash, say; who waits for that is answered, too."""
    auth(REVALIDATE=60)
    entered, release = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        assert release.wait(20)

    known, answers = {"HTTP_AUTHORIZATION": basic("zoé", PASSWORD)}, []
    with serving(Authorizer("active", "x"), threads=1) as address:
        for _ in range(2):
            assert ask(address, **known)[0] == "200 OK"
        CountedHasher.wait = staticmethod(wait)
        wrong = {"HTTP_AUTHORIZATION": basic("zoé", "wrong")}
        client = threading.Thread(target=lambda: answers.append(ask(address, **wrong)))
        client.start()
        assert entered.wait(20)
        assert ask(address, **known)[0] == "200 OK"
        assert answers == []
        release.set()
        client.join(20)
    assert answers[0][0] == "401 Unauthorized"


def test_r39_a_row_waits_for_no_other() -> None:
    """Who looks up the groups of one user keeps nobody from those of another: each is asked of the
    database, which may hang."""
    entered, release, found = threading.Event(), threading.Event(), []

    def full_name() -> str:
        entered.set()
        release.wait(20)
        return "Zoé"

    slow, quick = Account(User(username="zoé")), Account(User(username="alice"))
    slow.user.get_full_name = full_name
    for one in (slow, quick):
        one.__dict__["groups"] = ()
    waits = threading.Thread(target=lambda: slow.identity)
    waits.start()
    assert entered.wait(20)
    passes = threading.Thread(target=lambda: found.append(quick.identity))
    passes.start()
    passes.join(5)
    there = list(found)
    release.set()
    waits.join(20)
    passes.join(20)
    assert there == [quick.identity]


# Peers that are slow, silent, or many


def test_r39_a_peer_that_stops_keeps_nobody_waiting(
    zoe: User, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> None:
    """Nothing said, half a record, half a request, no end, no answer read: each ends in time."""
    monkeypatch.setattr(conversation, "_REQUEST_SECONDS", 2.0)
    made = Authorizer("active", "x")
    with serving(made, threads=1) as address, connected(address, 5) as slow:
        for peer, said in zip(slow, (b"", fcgi.begin()[:3], fcgi.begin()), strict=False):
            peer.sendall(said)
        slow[3].sendall(fcgi.request({"REQUEST_URI": "/"}))
        flood(slow[4])
        for _ in range(2):
            assert ask(address, HTTP_AUTHORIZATION=basic("zoé", PASSWORD))[0] == "200 OK"
        assert [peer.recv(1) for peer in slow[:3]] == [b"", b"", b""]
        with pytest.raises(ConnectionError):
            slow[4].sendall(bytes(2**24))


def test_r39_the_silent_make_room(
    zoe: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """However many connect and say nothing: the oldest of them gives way."""
    monkeypatch.setattr(server_module, "_OPEN", 2)
    made = Authorizer("active", "x")
    with serving(made, threads=1) as address, connected(address, 4) as silent:
        assert ask(address, HTTP_AUTHORIZATION=basic("zoé", PASSWORD))[0] == "200 OK"
        assert [peer.recv(1) for peer in silent[:2]] == [b"", b""]
    assert "others came" in caplog.text


def test_more_than_threads_can_answer_wait(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more are taken meanwhile, and all are answered."""
    monkeypatch.setattr(server_module, "_PENDING", 1)
    answers: list[str] = []
    with serving(Patient("active", "x"), threads=2) as address:
        clients = [
            threading.Thread(target=lambda: answers.append(ask(address)[0])) for _ in range(8)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join(20)
    assert answers == ["401 Unauthorized"] * 8


def test_no_thread_is_lost_to_what_it_asks(
    transactional_db: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even where the project's code ends its thread: no answer is a refusal."""

    class Ending(Patient):
        def __call__(self, role: int, params: dict[str, str]) -> bytes:
            if params["REQUEST_URI"] == "/end":
                raise SystemExit
            return super().__call__(role, params)

    with serving(Ending("active", "x"), threads=1) as address:
        assert fcgi.exchange(address, fcgi.request({"REQUEST_URI": "/end"})) == []
        assert ask(address)[0] == "401 Unauthorized"
    assert "a thread of the authorizer failed" in caplog.text


def test_no_thread_is_lost_to_what_is_told_of_it(transactional_db: None) -> None:
    """A filter of the project's log that fails, as one that reads ``record.request`` does."""

    def fails(record: logging.LogRecord) -> bool:
        raise KeyError("request")

    class Failing(Patient):
        def __call__(self, role: int, params: dict[str, str]) -> bytes:
            if params["REQUEST_URI"] == "/fail":
                raise RuntimeError
            return super().__call__(role, params)

    log = logging.getLogger("django_deploykit.auth")
    with serving(Failing("active", "x"), threads=1) as address:
        log.addFilter(fails)
        try:
            assert fcgi.exchange(address, fcgi.request({"REQUEST_URI": "/fail"})) == []
        finally:
            log.removeFilter(fails)
        assert ask(address)[0] == "401 Unauthorized"


# Its end, and its descriptors


def test_shutdown_waits_for_what_was_begun(transactional_db: None) -> None:
    """A request that is being answered gets its answer."""
    entered, release = threading.Event(), threading.Event()

    class Slow(Patient):
        def __call__(self, role: int, params: dict[str, str]) -> bytes:
            entered.set()
            assert release.wait(20)
            return super().__call__(role, params)

    answers: list[Any] = []
    with Server(listening(("127.0.0.1", 0)), Slow("active", "x"), 2) as server:
        loop = threading.Thread(target=server.serve_forever)
        loop.start()
        client = threading.Thread(target=lambda: answers.append(ask(server.address)))
        client.start()
        assert entered.wait(20)
        server.shutdown()
        threading.Timer(0.05, release.set).start()
    client.join(20)
    assert answers[0][0] == "401 Unauthorized"


class Exhausted(socket.socket):
    """A listener of a process that has no descriptor left, for a moment."""

    refusals = 0

    def accept(self) -> tuple[socket.socket, Any]:
        self.refusals += 1
        if self.refusals == 1:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_no_thread_is_lost_where_descriptors_are(
    zoe: User, transactional_db: None, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection waits, is taken by the same thread, and the log says why it waited."""
    listener = Exhausted(fileno=listening(("127.0.0.1", 0)).detach())
    with serving(Authorizer("active", "x"), 1, listener) as address:
        status, _, _ = ask(address, HTTP_AUTHORIZATION=basic("zoé", PASSWORD))
    assert status == "200 OK"
    assert "a connection was not taken" in caplog.text


def test_a_signal_that_another_thread_takes_ends_it(auth: Callable[..., None]) -> None:
    """Although that wakes nobody: no question comes any more, perhaps."""
    auth()
    ended = threading.Event()

    def take() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        if not ended.wait(20):
            late.append("only a question woke it")
            socket.create_connection(address).close()

    late: list[str] = []
    with listening(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        before = signal.getsignal(signal.SIGUSR1)
        with Server(listener, Authorizer("active", "x"), 1) as server:
            signal.signal(signal.SIGUSR1, lambda *_: server.shutdown())
            other = threading.Timer(0.2, take)
            other.start()
            server.serve_forever()
            ended.set()
        other.join()
        signal.signal(signal.SIGUSR1, before)
    assert late == []
