"""The statements on identity, I1 to I18, each with the number it has in the design's research."""

from __future__ import annotations

import json
import logging
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import SESSION_KEY, authenticate
from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import DatabaseError, connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext

from django_deploykit.identity.assertion import split
from tests.identity.conftest import STOCK_BACKEND, Front

ALICE = {"REMOTE_USER": "alice"}
TRUSTED = {"HTTP_REMOTE_USER": "alice"}
LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
WHOLE_SITE = ("UpdateCache", "FetchFromCache")


def who(client: Client, path: str = "/", **meta: Any) -> str:
    """Whom the site takes a request for."""
    answer = client.get(path, **meta)
    assert answer.status_code == 200
    return str(answer.content.decode())


def session(client: Client) -> Any:
    return client.session


# I1: the source


def test_i1_a_key_of_the_server(front: Front, alice: User) -> None:
    """I1: the source that is named is read."""
    assert who(front.client(), **ALICE) == "alice"


def test_i1_a_header_is_no_fallback_for_a_key(front: Front, alice: User) -> None:
    """I1: with env: configured, no header of that name counts, under WSGI."""
    for key in ("HTTP_REMOTE_USER", "HTTP_X_REMOTE_USER", "HTTP_X_FORWARDED_USER"):
        assert who(front.client(), **{key: "alice"}) == ""


def test_i1_a_header_is_no_fallback_under_asgi(front: Front, alice: User) -> None:
    """I1: nor under ASGI, where Django's own middleware falls back to it."""
    answer = front.get_async(AsyncClient(), "/async/", Remote_User="alice")
    assert json.loads(answer.content) == ["", ""]


def test_i1_a_key_is_no_fallback_for_a_header(proxied: Front, alice: User) -> None:
    """I1: nor the other way round."""
    assert who(proxied.client(), **ALICE) == ""


def test_i1_only_the_named_header(proxied: Front, alice: User) -> None:
    """I1: another identity header says nothing."""
    assert who(proxied.client(), HTTP_X_FORWARDED_USER="alice") == ""


@pytest.mark.parametrize(
    ("key", "status", "name"),
    [
        ("REDIRECT_STATUS", "401", ""),
        ("REDIRECT_STATUS", "400", ""),
        ("REDIRECT_STATUS", "500", ""),
        ("REDIRECT_REDIRECT_STATUS", "401", ""),
        ("REDIRECT_STATUS", "200", "alice"),
        ("REDIRECT_STATUS", "404", "alice"),
    ],
)
def test_i1_a_name_that_the_server_refused(
    front: Front, alice: User, key: str, status: str, name: str
) -> None:
    """I1: Apache asks for the page that says 401 in the name that came with a wrong password."""
    said = {"REDIRECT_STATUS": "200", key: status}
    assert who(front.client(), **ALICE, **said) == name


@pytest.mark.parametrize(("mode", "name"), [("every-request", ""), ("persistent", "alice")])
def test_i1_a_page_of_a_failure_ends_no_session(
    front: Front, alice: User, mode: str, name: str
) -> None:
    """I1: nothing is learnt from it: whoever is signed in stays so, with all that is kept."""
    client = front.believe(MODE=mode).client()
    assert who(client, **ALICE) == "alice"
    key = client.session.session_key
    assert who(client, **ALICE, REDIRECT_STATUS="500") == name
    assert who(client, **ALICE) == "alice"
    assert client.session.session_key == key


# I2: who is believed


def test_i2_a_trusted_proxy_is_believed(proxied: Front, alice: User) -> None:
    """I2: a header counts from a trusted peer."""
    assert who(proxied.client(), **TRUSTED) == "alice"


@pytest.mark.parametrize("address", ["203.0.113.9", "127.0.0.2", "", "::1"])
def test_i2_nobody_else_is(proxied: Front, alice: User, address: str) -> None:
    """I2: not from any other peer."""
    assert who(proxied.client(), **TRUSTED, REMOTE_ADDR=address) == ""


def test_i2_nobody_is_where_nobody_looks(front: Front, alice: User) -> None:
    """I2: without TrustedProxyMiddleware no header counts."""
    assert who(front.believe(looks=False, PRESET="authelia").client(), **TRUSTED) == ""


def test_i2_a_gateway_passes_on_what_clients_send(
    proxied: Front, alice: User, settings: Any
) -> None:
    """I2: where a gateway is trusted, its keys are, and no header."""
    settings.DEPLOYKIT = {**settings.DEPLOYKIT, "PROXY": {"TRUSTED": ["gateway"]}}
    assert who(proxied.client(), **TRUSTED) == ""


def test_i2_the_header_is_gone_all_the_same(
    proxied: Front, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I2: nothing else in the site sees the header in META, also from a trusted proxy."""
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "tests.identity.urls.who_is",
        lambda request: seen.append(dict(request.META)) or request.user.get_username(),
    )
    assert who(proxied.client(), **TRUSTED) == "alice"
    assert "HTTP_REMOTE_USER" not in seen[0]


@pytest.mark.parametrize("mode", ["every-request", "persistent"])
def test_i2_our_session_is_worth_nothing_elsewhere(front: Front, alice: User, mode: str) -> None:
    """I2: who goes around the front has no use of a session that began behind it."""
    client = front.believe(PRESET="authelia", MODE=mode).client()
    assert who(client, **TRUSTED) == "alice"
    assert who(client, REMOTE_ADDR="203.0.113.9") == ""
    assert SESSION_KEY not in session(client)


# I3 and I4: the value


@pytest.mark.parametrize(
    "value", ["alice,root", "alice, alice", "alice;root", ",", "al\tice", "alice\x00", "\x85alice"]
)
def test_i3_several_names_or_controls_are_refused(front: Front, alice: User, value: str) -> None:
    """I3: two headers, which arrive as one with a comma, are a bad request, not a choice."""
    assert front.client().get("/", REMOTE_USER=value).status_code == 400
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "value", ["", " ", "-", "(null)", "(NULL)", "anonymous", "Anonymous", "unauthenticated", None]
)
def test_i3_words_for_nobody(front: Front, value: str | None) -> None:
    """I3: what fronts send where there is nobody is nobody, also where users are made."""
    assert who(front.believe(CREATE=True).client(), REMOTE_USER=value) == ""
    assert not User.objects.exists()


@pytest.mark.parametrize("value", ["a b", "x" * 151, "a/b", "<b>", "$(id)", "a:b"])
def test_i3_a_name_that_no_user_can_have(front: Front, value: str) -> None:
    """I3: the user model's own validators decide what may become a user name."""
    assert who(front.believe(CREATE=True).client(), REMOTE_USER=value) == ""
    assert not User.objects.exists()


def test_i3_blanks_around_a_name_are_none_of_it(front: Front, alice: User) -> None:
    """I3: trimmed, and in Unicode's composed form."""
    User.objects.create(username="zo\u00eb")
    assert who(front.client(), REMOTE_USER=" alice ") == "alice"
    decomposed = "zoe\u0308".encode().decode("latin-1")
    assert who(front.client(), REMOTE_USER=decomposed).encode("latin-1", "replace") == b"zo\xeb"


def test_i3_look_alikes_are_other_people(front: Front, root: User) -> None:
    """I3: compatible forms (full-width letters) are not folded into each other."""
    front.believe(PRIVILEGED=["root"])
    wide = "\uff52\uff4f\uff4f\uff54".encode().decode("latin-1")
    assert who(front.client(), REMOTE_USER=wide) == ""


def test_i3_case_matters(front: Front, alice: User) -> None:
    """I3: Alice is not alice."""
    assert who(front.client(), REMOTE_USER="Alice") == ""


def test_i3_a_database_that_finds_another_name(
    front: Front, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I3: a collation that takes 'ROOT' for 'root' signs nobody in."""
    manager = type(User.objects)
    monkeypatch.setattr(manager, "get_by_natural_key", lambda self, name: self.get(username="root"))
    front.believe(PRIVILEGED=["root", "ROOT"])
    assert who(front.client(), REMOTE_USER="ROOT") == ""
    assert who(front.client(), REMOTE_USER="root") == "root"


def test_i4_names_are_utf_8(front: Front) -> None:
    """I4: bytes of UTF-8, which WSGI shows as Latin-1, are the name; others are a bad request."""
    User.objects.create(username="jürgen")
    assert who(front.client(), REMOTE_USER="jürgen".encode().decode("latin-1")) == "jürgen"
    assert front.client().get("/", REMOTE_USER="jürgen").status_code == 400
    assert front.client().get("/", REMOTE_USER="\u20ac").status_code == 400


# I5 to I7: sessions


def test_i5_the_session_holds_no_name(front: Front, alice: User) -> None:
    """I5: a keyed digest of source and subject, not the subject."""
    client = front.client()
    who(client, **ALICE)
    assert "alice" not in json.dumps(dict(session(client)))


def test_i5_a_change_of_user_ends_the_session(front: Front, alice: User) -> None:
    """I5: CVE-2014-0482: nothing of the first user's session is the second one's."""
    User.objects.create(username="bob")
    client = front.client()
    assert who(client, **ALICE) == "alice"
    client.get("/basket/", **ALICE)
    first = client.cookies["sessionid"].value
    assert who(client, REMOTE_USER="bob") == "bob"
    assert client.cookies["sessionid"].value != first
    assert "basket" not in session(client)
    assert not Session.objects.filter(session_key=first).exists()


@pytest.mark.parametrize("asserted", ["nobody-known", "inactive"])
def test_i5_a_local_superuser_does_not_stay(front: Front, root: User, asserted: str) -> None:
    """I5: an asserted user who is not let in is nobody, not whoever was signed in before."""
    User.objects.create(username="inactive", is_active=False)
    client = front.client()
    client.force_login(root, STOCK_BACKEND)
    assert who(client) == "root"
    assert who(client, REMOTE_USER=asserted) == ""
    assert who(client) == ""


def test_i5_a_session_that_is_nobodys_ends_too(front: Front, alice: User) -> None:
    """I5: a session whose user was barred meanwhile does not lie in wait behind another name."""
    client = front.believe(MODE="persistent").client()
    assert who(client, **ALICE) == "alice"
    User.objects.update(is_active=False)
    assert who(client, REMOTE_USER="unknown") == ""
    User.objects.update(is_active=True)
    assert who(client) == ""


def test_i5_another_source_is_another_session(front: Front, alice: User) -> None:
    """I5: a session is bound to the source: alice of Apache is not alice of the proxy."""
    client = front.client()
    who(client, **ALICE)
    bound = session(client)["_deploykit_identity"]["subject"]
    proxied = front.believe(USER="header:Remote-User").client()
    proxied.cookies = client.cookies
    assert who(proxied, **TRUSTED) == "alice"
    assert session(proxied)["_deploykit_identity"]["subject"] != bound


def test_i5_a_local_session_of_the_same_name_is_replaced(front: Front, alice: User) -> None:
    """I5: also one with a password for the very same user: it was not begun by the front."""
    client = front.client()
    client.force_login(alice, STOCK_BACKEND)
    first = client.cookies["sessionid"].value
    assert who(client, **ALICE) == "alice"
    assert client.cookies["sessionid"].value != first


@pytest.fixture
def caching(front: Front, alice: User, settings: Any) -> Client:
    """alice, whose page is in the cache of a site that caches every page."""
    User.objects.create(username="bob")
    settings.CACHES = {"default": {"BACKEND": LOCMEM, "LOCATION": str(uuid4())}}
    update, fetch = (f"django.middleware.cache.{name}Middleware" for name in WHOLE_SITE)
    settings.MIDDLEWARE = [update, *settings.MIDDLEWARE, fetch]
    client = front.client()
    assert [who(client, **ALICE) for _ in range(3)] == ["alice"] * 3
    return client


@pytest.mark.parametrize("asserted", ["bob", "unknown", "", None])
def test_i5_no_cache_outlasts_the_session(caching: Client, asserted: str | None) -> None:
    """I5, I7: the page of who was there before is nobody else's, by the cookie that came."""
    assert who(caching, REMOTE_USER=asserted) == ("bob" if asserted == "bob" else "")
    assert who(caching, **ALICE) == "alice"


@pytest.mark.parametrize("mode", ["every-request", "persistent", "stateless"])
def test_i5_no_cached_view_is_anybodys(front: Front, alice: User, settings: Any, mode: str) -> None:
    """I5, I8: a view that is cached by its cookies has none at the first request of a session,
    and at no stateless one."""
    User.objects.create(username="bob")
    settings.CACHES = {"default": {"BACKEND": LOCMEM, "LOCATION": str(uuid4())}}
    front.believe(MODE=mode)
    for name in ("alice", "bob", "", "alice", "bob"):
        assert who(front.client(), "/cached/", REMOTE_USER=name) == name


def test_i6_signing_in_changes_session_key_and_csrf_token(front: Front, alice: User) -> None:
    """I6: a session key and a token that somebody planted before are of no use after."""
    client = front.client()
    client.get("/basket/")
    planted = client.cookies["sessionid"].value
    client.cookies["csrftoken"] = "a" * 32
    answer = client.get("/", **ALICE)
    assert client.cookies["sessionid"].value != planted
    assert not Session.objects.filter(session_key=planted).exists()
    assert answer.cookies["csrftoken"].value != "a" * 32


def test_i6_what_a_visitor_has_chosen_stays(front: Front, alice: User) -> None:
    """I6: the session that was nobody's goes on under its new key, as with Django's own login."""
    client = front.client()
    client.get("/basket/")
    assert who(client, **ALICE) == "alice"
    assert session(client)["basket"] == "apples"


def test_i6_last_login_is_written_once(front: Front, alice: User) -> None:
    """I6: at the first request of a session, and at no other; that one costs no write."""
    client = front.client()
    who(client, **ALICE)
    first = User.objects.get().last_login
    with CaptureQueriesContext(
        connection,
    ) as queries:
        who(client, **ALICE)
    assert User.objects.get().last_login == first
    assert {query["sql"].split()[0] for query in queries} == {"SELECT"}


def test_i6_both_ways_to_ask_agree(proxied: Front, alice: User) -> None:
    """I6: request.user and request.auser() are one user at the first request (Django 5.2's are
    not) and at the next; and after the front has gone."""
    client = AsyncClient()
    for _ in range(2):
        answer = proxied.get_async(client, "/async/", Remote_User="alice")
        assert json.loads(answer.content) == ["alice", "alice"]
    answer = proxied.get_async(client, "/async/")
    assert json.loads(answer.content) == ["", ""]


@pytest.mark.parametrize("mode", ["every-request", "persistent", "stateless"])
def test_i6_under_asgi_as_under_wsgi(front: Front, alice: User, mode: str) -> None:
    """I6: the same modes, refusals and answers where middleware is asynchronous."""
    front.believe(PRESET="authelia", MODE=mode, REQUIRED=True)
    client = AsyncClient()
    answer = front.get_async(client, "/async/", Remote_User="alice")
    assert json.loads(answer.content) == ["alice", "alice"]
    assert ("private" in answer.get("Cache-Control", "")) is (mode == "stateless")
    assert front.get_async(client, "/async/", Remote_User="unknown").status_code == 403
    assert front.get_async(client, "/async/", Remote_User="alice,root").status_code == 400
    assert front.get_async(client, "/async/").status_code == 403


def test_i6_an_async_view_under_wsgi(front: Front, alice: User) -> None:
    """I6: the same with an async view of a WSGI site."""
    assert json.loads(who(front.client(), "/async/", **ALICE)) == ["alice", "alice"]


def test_i7_every_request_has_to_say_it(front: Front, alice: User, root: User) -> None:
    """I7: when the front is silent, its users are signed out, and those with a password stay."""
    client = front.client()
    assert who(client, **ALICE) == "alice"
    assert who(client) == ""
    client.force_login(root, STOCK_BACKEND)
    assert who(client) == "root"


def test_i7_persistent_sessions_last(
    front: Front, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I7: once said is enough, up to MAX_AGE after the front last said so."""
    client = front.believe(MODE="persistent", MAX_AGE=600).client()
    clock = _clock(monkeypatch)
    assert who(client, **ALICE) == "alice"
    clock.now += 500
    assert who(client) == "alice"
    assert who(client, **ALICE) == "alice"
    clock.now += 500
    assert who(client) == "alice"
    clock.now += 101
    assert who(client) == ""
    assert SESSION_KEY not in session(client)


def test_i7_the_time_is_noted_once_a_minute(
    front: Front, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I7: and in a persistent session alone, so that most requests write nothing."""
    clock = _clock(monkeypatch)
    for mode, seconds, written in [
        ("persistent", 59, False),
        ("persistent", 61, True),
        ("every-request", 61, False),
    ]:
        client = front.believe(MODE=mode).client()
        who(client, **ALICE)
        clock.now += seconds
        with CaptureQueriesContext(connection) as queries:
            who(client, **ALICE)
        assert any(query["sql"].startswith("UPDATE") for query in queries) is written


def test_i7_a_session_of_the_future_does_not_last(
    front: Front, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I7: a clock that was set back makes nobody's session longer."""
    client = front.believe(MODE="persistent", MAX_AGE=600).client()
    clock = _clock(monkeypatch)
    who(client, **ALICE)
    clock.now -= 1
    assert who(client) == ""


def test_i7_a_page_that_needs_nobody_reads_no_account(front: Front, alice: User) -> None:
    """I7: a request without a session and without a name costs no query."""
    client = front.client()
    with CaptureQueriesContext(connection) as queries:
        client.get("/exempt/")
    assert len(queries) == 0


class _Clock:
    now = 1_000_000_000.0

    def time(self) -> float:
        return self.now


def _clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr("django_deploykit.identity.middleware.time", clock)
    return clock


# I8: without sessions


def test_i8_stateless(front: Front, alice: User) -> None:
    """I8: no session, no cookie, no login; and no cache keeps the page for others."""
    answer = front.believe(MODE="stateless").client().get("/", **ALICE)
    assert answer.content == b"alice"
    assert "sessionid" not in answer.cookies
    assert not Session.objects.exists()
    assert User.objects.get().last_login is None
    assert "private" in answer["Cache-Control"]


def test_i8_each_request_stands_for_itself(front: Front, alice: User, root: User) -> None:
    """I8: nothing is remembered, and no session of ours from before is honoured."""
    client = front.client()
    who(client, **ALICE)
    stateless = front.believe(MODE="stateless").client()
    stateless.cookies = client.cookies
    assert who(stateless) == ""
    assert who(stateless, **ALICE) == "alice"
    assert who(stateless) == ""
    client.force_login(root, STOCK_BACKEND)
    stateless.cookies = client.cookies
    assert who(stateless, **ALICE) == "alice"
    assert who(stateless, REMOTE_USER="unknown") == ""


@pytest.mark.parametrize("mode", ["every-request", "persistent", "stateless"])
@pytest.mark.parametrize("path", ["/", "/api/"])
def test_i8_csrf_is_enforced(front: Front, alice: User, mode: str, path: str) -> None:
    """I8: the front vouches for the user, not for the page that sent the form; for REST framework
    too, whose own RemoteUserAuthentication does not look."""
    client = front.believe(MODE=mode).client(enforce_csrf_checks=True)
    assert client.post(path, **ALICE).status_code == 403
    client.cookies["csrftoken"] = token = "a" * 32
    answer = client.post(path, {"csrfmiddlewaretoken": token}, **ALICE)
    assert (answer.status_code, answer.content.strip(b'"')) == (200, b"alice")


def test_i8_rest_framework_sees_the_user(front: Front, alice: User) -> None:
    """I8: SessionAuthentication takes request.user, whatever the mode."""
    assert who(front.believe(MODE="stateless").client(), "/api/", **ALICE) == '"alice"'


def test_i8_a_bare_name_is_no_credential(front: Front, alice: User) -> None:
    """I8: REST framework's RemoteUserAuthentication, like anything else that calls
    authenticate(remote_user=...), gets nobody in through our backend."""
    client = front.believe(USER="header:Remote-User").client()
    assert who(client, "/remote-api/", **ALICE) == '""'
    assert authenticate(None, remote_user="alice") is None


# I9 and I10: accounts


def test_i9_nobody_is_created_by_default(front: Front) -> None:
    """I9: CREATE is off."""
    assert who(front.client(), **ALICE) == ""
    assert not User.objects.exists()


def test_i9_a_created_user_has_no_password(front: Front, mailoutbox: list[Any]) -> None:
    """I9: none that a reset could be mailed for; and the same hash at the next sign-in."""
    front.believe(CREATE=True)
    assert who(front.client(), **ALICE) == "alice"
    user = User.objects.get()
    assert not user.has_usable_password()
    User.objects.update(email="alice@example.com")
    form = PasswordResetForm({"email": "alice@example.com"})
    assert form.is_valid()
    form.save(domain_override="example.com")
    assert mailoutbox == []
    who(front.client(), **ALICE)
    assert User.objects.get().password == user.password


@pytest.mark.parametrize("flag", ["is_staff", "is_superuser"])
@pytest.mark.parametrize("create", [False, True])
def test_i10_staff_is_not_adopted(front: Front, alice: User, flag: str, create: bool) -> None:
    """I10: the name of an account with powers is not enough to get them."""
    User.objects.update(**{flag: True})
    front.believe(CREATE=create)
    assert who(front.client(), **ALICE) == ""
    front.believe(CREATE=create, PRIVILEGED=["alice"])
    assert who(front.client(), **ALICE) == "alice"


@pytest.mark.parametrize("flag", ["is_staff", "is_superuser"])
def test_i10_who_becomes_staff_is_asked_again(front: Front, alice: User, flag: str) -> None:
    """I10: it holds for sessions that run, too."""
    client = front.client()
    assert who(client, **ALICE) == "alice"
    User.objects.update(**{flag: True})
    assert who(client, **ALICE) == ""


@pytest.mark.parametrize("flag", ["is_staff", "is_superuser"])
def test_i10_who_becomes_staff_is_asked_again_in_silence(
    front: Front, alice: User, flag: str
) -> None:
    """I10: also while a persistent session lasts without the front's word."""
    client = front.believe(MODE="persistent").client()
    assert who(client, **ALICE) == "alice"
    assert who(client) == "alice"
    User.objects.update(**{flag: True})
    assert who(client) == ""
    assert SESSION_KEY not in session(client)


def test_i10_powers_of_a_persistent_session(front: Front, alice: User) -> None:
    """I10: those that PRIVILEGED or FLAGS give last as long as it does, and as the setting."""
    User.objects.create(username="root", is_superuser=True)
    flags = {"GROUPS": "env:MEMBER_OF", "FLAGS": {"is_staff": ["it"]}}
    client = front.believe(MODE="persistent", PRIVILEGED=["root"], **flags).client()
    assert who(client, **ALICE, MEMBER_OF="it") == "alice"
    assert who(client) == "alice"
    assert who(client, REMOTE_USER="root") == "root"
    assert who(client) == "root"
    fewer = front.believe(MODE="persistent", **flags).client()
    fewer.cookies = client.cookies
    assert who(fewer) == ""


# I11: refusals


def test_i11_unknown_inactive_and_refused_look_the_same(front: Front, root: User) -> None:
    """I11: the same answer, byte by byte, after the same work: nobody learns who has an account."""
    User.objects.create(username="inactive", is_active=False)
    for required, status in ((False, 200), (True, 403)):
        seen = set()
        for name in ("unknown", "inactive", "root"):
            client = front.believe(REQUIRED=required).client()
            with CaptureQueriesContext(connection) as queries:
                answer = client.get("/exempt/", REMOTE_USER=name)
            headers = tuple(sorted(answer.items()))
            cookies = tuple(answer.cookies)
            seen.add((answer.status_code, answer.content, headers, cookies, len(queries)))
        assert len(seen) == 1
        assert seen.pop()[0] == status


def test_i11_required_is_for_everybody(front: Front, alice: User) -> None:
    """I11: with REQUIRED a request without a user is refused, not led to a login page."""
    client = front.believe(REQUIRED=True).client()
    assert client.get("/").status_code == 403
    assert client.get("/", **ALICE).status_code == 200
    assert client.get("/").status_code == 403


def test_i11_required_lets_in_who_signed_in_with_a_password(front: Front, root: User) -> None:
    """I11: it asks for a user, not for the front's."""
    client = front.believe(REQUIRED=True).client()
    client.force_login(root, STOCK_BACKEND)
    assert who(client) == "root"


# I12 and I13: what is written into an account


@pytest.fixture
def groups(front: Front, alice: User) -> Front:
    """A front that says groups, two of which mean something here."""
    for name in ("Editors", "Readers", "Own"):
        Group.objects.create(name=name)
    alice.groups.add(Group.objects.get(name="Own"))
    mapping = {"press": "Editors", "all": "Readers"}
    return front.believe(GROUPS="env:MEMBER_OF", GROUP_MAP=mapping, SEPARATOR=";")


def member(user: User) -> set[str]:
    return set(user.groups.values_list("name", flat=True))


def test_i12_groups_follow_the_front(groups: Front, alice: User) -> None:
    """I12: at every change, not only at sign-in; only those of the map."""
    client = groups.client()
    for said, expected in [
        ("press;other", {"Own", "Editors"}),
        ("all;press", {"Own", "Editors", "Readers"}),
        ("all", {"Own", "Readers"}),
        (" ", {"Own"}),
        ("Own;Editors", {"Own"}),
    ]:
        assert who(client, **ALICE, MEMBER_OF=said) == "alice"
        assert member(alice) == expected


def test_i12_silence_changes_nothing(groups: Front, alice: User) -> None:
    """I12: absent is unknown; empty is none."""
    client = groups.client()
    who(client, **ALICE, MEMBER_OF="press")
    who(client, **ALICE)
    assert member(alice) == {"Own", "Editors"}
    who(client, **ALICE, MEMBER_OF="")
    assert member(alice) == {"Own"}


def test_i12_what_did_not_change_is_not_written(groups: Front, alice: User) -> None:
    """I12: the same groups, in another order, cost no query beyond the session and the user."""
    client = groups.client()
    who(client, **ALICE, MEMBER_OF="press;all")
    with CaptureQueriesContext(connection) as queries:
        who(client, **ALICE, MEMBER_OF="all;press")
    assert len(queries) == 2


@pytest.mark.parametrize("running", [False, True])
def test_i12_all_or_nothing(
    front: Front, alice: User, monkeypatch: pytest.MonkeyPatch, running: bool
) -> None:
    """I12: where a part of it cannot be written, nothing is, at sign-in as in a running session."""
    flags = {"GROUPS": "env:MEMBER_OF", "FLAGS": {"is_staff": ["it"]}, "GROUP_MAP": {"it": "IT"}}
    client = front.believe(**flags).client(raise_request_exception=False)
    if running:
        assert who(client, **ALICE, MEMBER_OF="press") == "alice"

    def fail(*args: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr("django_deploykit.identity.accounts._follow_groups", fail)
    assert client.get("/", **ALICE, MEMBER_OF="it").status_code == 500
    assert not User.objects.get().is_staff


def test_i12_groups_are_not_created(
    groups: Front, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    """I12: a group that does not exist is named in the log, and nothing else."""
    Group.objects.filter(name="Editors").delete()
    assert who(groups.client(), **ALICE, MEMBER_OF="press;all") == "alice"
    assert member(alice) == {"Own", "Readers"}
    assert not Group.objects.filter(name__in=["Editors", "press"]).exists()
    assert "['Editors']" in caplog.text


def test_i12_flags_come_and_go(front: Front, alice: User) -> None:
    """I12: staff and superusers by an explicit map alone, taken away when the group is gone."""
    flags = {"is_staff": ["it"], "is_superuser": ["admins"]}
    client = front.believe(GROUPS="env:MEMBER_OF", FLAGS=flags).client()
    for said, expected in [
        ("it,admins", (True, True)),
        ("it", (True, False)),
        ("is_superuser,superusers", (False, False)),
        ("admins", (False, True)),
        ("", (False, False)),
    ]:
        assert who(client, **ALICE, MEMBER_OF=said) == "alice"
        alice.refresh_from_db()
        assert (alice.is_staff, alice.is_superuser) == expected


def test_i12_flags_follow_the_settings(front: Front, alice: User) -> None:
    """I12: sessions outlast a restart, and powers do not that are given to others by now."""
    client = front.believe(GROUPS="env:MEMBER_OF", FLAGS={"is_staff": ["it"]}).client()
    assert who(client, **ALICE, MEMBER_OF="it") == "alice"
    assert User.objects.get().is_staff
    flags = {"is_staff": ["admins"]}
    restarted = front.believe(GROUPS="env:MEMBER_OF", FLAGS=flags).client()
    restarted.cookies = client.cookies
    assert who(restarted, **ALICE, MEMBER_OF="it") == "alice"
    assert not User.objects.get().is_staff
    with CaptureQueriesContext(connection) as queries:
        who(restarted, **ALICE, MEMBER_OF="it")
    assert len(queries) == 2


def test_i12_groups_follow_the_settings(groups: Front, alice: User) -> None:
    """I12: and so do groups that the map gives to others."""
    client = groups.client()
    who(client, **ALICE, MEMBER_OF="press")
    mapping = {"press": "Readers", "staff": "Editors"}
    restarted = groups.believe(GROUPS="env:MEMBER_OF", GROUP_MAP=mapping, SEPARATOR=";").client()
    restarted.cookies = client.cookies
    who(restarted, **ALICE, MEMBER_OF="press")
    assert member(alice) == {"Own", "Readers"}


def test_i12_powers_of_other_settings_do_not_last(front: Front, alice: User) -> None:
    """I12: nor in the silence of a persistent session; who has no powers stays."""
    User.objects.create(username="bob")
    persistent = {"MODE": "persistent", "GROUPS": "env:MEMBER_OF"}
    for name, later in (("alice", ""), ("bob", "bob")):
        client = front.believe(**persistent, FLAGS={"is_staff": ["it"]}).client()
        who(client, REMOTE_USER=name, MEMBER_OF="it" if name == "alice" else "press")
        assert who(client) == name
        restarted = front.believe(**persistent, FLAGS={"is_staff": ["admins"]}).client()
        restarted.cookies = client.cookies
        assert who(restarted) == later


def test_i12_powers_without_a_word_of_groups(front: Front, alice: User) -> None:
    """I12: a front that stops saying groups signs no staff in: nobody vouches for the powers."""
    client = front.believe(GROUPS="env:MEMBER_OF", FLAGS={"is_staff": ["it"]}).client()
    assert who(client, **ALICE, MEMBER_OF="it") == "alice"
    assert who(client, **ALICE) == ""


def test_i12_a_flag_that_is_not_mapped_stays(front: Front, alice: User) -> None:
    """I12: FLAGS for staff says nothing about superusers."""
    User.objects.update(is_superuser=True)
    front.believe(GROUPS="env:MEMBER_OF", FLAGS={"is_staff": ["it"]})
    assert who(front.client(), **ALICE, MEMBER_OF="it") == ""


@pytest.mark.parametrize(
    ("separator", "text", "expected"),
    [
        (",", "a, b ,c", ["a", "b", "c"]),
        (",", "a\\,b", ["a\\", "b"]),
        ("|", "a|b c|", ["a", "b c"]),
        (";", "a;b", ["a", "b"]),
        (";", r"a\;b;c\\;d", ["a;b", "c\\", "d"]),
        (";", "a\\", ["a\\"]),
        (";", "", []),
    ],
)
def test_i12_separators(separator: str, text: str, expected: list[str]) -> None:
    """I12: comma, bar and semicolon, the last with Shibboleth's backslashes."""
    assert split(text, separator) == expected


def test_i13_attributes_are_copied_if_mapped(front: Front, alice: User) -> None:
    """I13: at every change; what is not valid is not written, and an absent one stays."""
    User.objects.create(username="bob", email="alice@example.com")
    attributes = {"email": "env:MAIL", "first_name": "env:GIVEN_NAME"}
    client = front.believe(ATTRIBUTES=attributes).client()
    name = "Zoë".encode().decode("latin-1")
    for said, expected in [
        ({"MAIL": "alice@example.com"}, ("alice@example.com", "")),
        ({"MAIL": "no address", "GIVEN_NAME": name}, ("alice@example.com", "Zoë")),
        ({"GIVEN_NAME": ""}, ("alice@example.com", "")),
        ({"SURNAME": "Liddell"}, ("alice@example.com", "")),
    ]:
        assert who(client, **ALICE, **said) == "alice"
        alice.refresh_from_db()
        assert (alice.email, alice.first_name) == expected
        assert alice.last_name == ""


def test_i13_an_address_that_another_account_has(
    front: Front, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    """I13: where the database gives each to one account, it is left out, as one that is not valid;
    the user is let in, and everything else is written."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE UNIQUE INDEX one_each ON auth_user (email) WHERE email <> ''")
    User.objects.create(username="bob", email="bob@example.com")
    attributes = {"email": "env:MAIL", "first_name": "env:GIVEN_NAME"}
    client = front.believe(ATTRIBUTES=attributes).client()
    for address, name, expected in [
        ("bob@example.com", "Alice", ("", "Alice")),
        ("alice@example.com", "Alice", ("alice@example.com", "Alice")),
        ("bob@example.com", "Lia", ("alice@example.com", "Lia")),
    ]:
        assert who(client, **ALICE, MAIL=address, GIVEN_NAME=name) == "alice"
        alice.refresh_from_db()
        assert (alice.email, alice.first_name) == expected
    assert "email is not written" in caplog.text


# I14: signing out


def test_i14_sign_out_leads_to_the_front(front: Front, alice: User) -> None:
    """I14: the session ends here, then there, and the way back is on this host."""
    client = front.believe(SIGN_OUT="/oauth2/sign_out?rd={next}").client()
    who(client, **ALICE)
    answer = client.post("/logout/", {"next": "/bye/?a=b"}, **ALICE)
    assert answer.status_code == 302
    back = "http%3A%2F%2Ftestserver%2Fbye%2F%3Fa%3Db"
    assert answer["Location"] == f"/oauth2/sign_out?rd={back}"
    assert SESSION_KEY not in session(client)


@pytest.mark.parametrize(
    ("path", "after", "expected"),
    [
        ("/logout/", "", "http%3A%2F%2Ftestserver%2F"),
        ("/logout/", "https://evil.example/", "http%3A%2F%2Ftestserver%2F"),
        ("/logout/", "//evil.example/", "http%3A%2F%2Ftestserver%2F"),
        ("/logout/", "/\\evil.example", "http%3A%2F%2Ftestserver%2F"),
        ("/logout/home/", "", "http%3A%2F%2Ftestserver%2Fhome%2F"),
    ],
)
def test_i14_nobody_else_chooses_the_way_back(
    front: Front, path: str, after: str, expected: str
) -> None:
    """I14: another host is not led to."""
    client = front.believe(SIGN_OUT="https://login.example.com/out?rd={next}").client()
    answer = client.post(path, {"next": after} if after else {})
    assert answer["Location"] == f"https://login.example.com/out?rd={expected}"


def test_i14_without_a_sign_out_the_page_says_so(front: Front, alice: User) -> None:
    """I14: where the front cannot be told, nobody is left believing that they are signed out."""
    client = front.client()
    who(client, **ALICE)
    answer = client.post("/logout/", {"next": "/bye/"}, **ALICE)
    assert answer.status_code == 200
    assert "still knows who you are" in answer.content.decode()


def test_i14_only_by_post(front: Front) -> None:
    """I14: an image on another site signs nobody out."""
    assert front.client().get("/logout/").status_code == 405


# I16: certificates

CERTIFICATE = {"SSL_CLIENT_SAN_Email_0": "alice", "SSL_CLIENT_VERIFY": "SUCCESS"}


@pytest.mark.parametrize(
    "verdict", ["NONE", "GENEROUS", "FAILED:self-signed certificate", "success", "", None]
)
def test_i16_a_certificate_that_nobody_verified(front: Front, alice: User, verdict: str) -> None:
    """I16: its names count where the server says that it verified it, and nowhere else; nor does
    anything beside them, nor a header that says so."""
    client = front.believe(PRESET="apache-certificate").client()
    assert who(client, **CERTIFICATE) == "alice"
    unverified = {**CERTIFICATE, "SSL_CLIENT_VERIFY": verdict}
    assert who(client, **unverified) == ""
    assert who(client, **unverified, HTTP_SSL_CLIENT_VERIFY="SUCCESS") == ""
    mixed = front.believe(ATTRIBUTES={"email": "env:SSL_CLIENT_SAN_Email_0"}).client()
    assert who(mixed, **ALICE, **unverified) == ""
    assert who(mixed, **ALICE, **CERTIFICATE) == "alice"


# I18: the log


def test_i18_values_are_quoted_in_the_log(front: Front, caplog: pytest.LogCaptureFixture) -> None:
    """I18: a refusal is logged with its reason and the repr of the name: no forged lines."""
    with caplog.at_level(logging.INFO):
        who(front.client(), REMOTE_USER="eve\u2028root".encode().decode("latin-1"))
    assert r"'eve\u2028root'" in caplog.text
    assert "env:REMOTE_USER" in caplog.text
    assert "there is no such user" in caplog.text
