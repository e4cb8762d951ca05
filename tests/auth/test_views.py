"""The endpoint that a web server asks before it answers itself (R17 to R23, R39)."""

from __future__ import annotations

import asyncio
import base64
import itertools
import sys
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from django.conf import global_settings
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.core.cache.backends.base import BaseCache
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.base import BaseHandler
from django.core.signals import got_request_exception
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape
from django.utils.translation import gettext_lazy
from django.views.debug import ExceptionReporter

from django_deploykit import contract
from django_deploykit.views import AsyncAuthRequestView, AuthRequestView
from tests.auth import urls
from tests.auth.conftest import PASSWORD, CountedHasher, user, wire
from tests.people.models import Resident, TenantsManager, tenant

# All of Django's, in the order that its documentation gives, and each at its worst.
MIDDLEWARE = [
    "django.middleware.cache.UpdateCacheMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "tests.auth.test_views.sets_cookies",
    "django.middleware.cache.FetchFromCacheMiddleware",
]


def sets_cookies(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Middleware of a project that leaves a cookie, and looks who is there."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        assert request.user is not None
        response.set_cookie("tracked", "yes")
        response.delete_cookie("old")
        return response

    return middleware


@pytest.fixture(autouse=True)
def site(settings: Any, db: None) -> None:
    settings.ROOT_URLCONF = "tests.auth.urls"
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.MIDDLEWARE = MIDDLEWARE
    settings.SESSION_SAVE_EVERY_REQUEST = True
    settings.USE_ETAGS = True


@pytest.fixture
def web() -> Client:
    """A web server's sub-request. Django's test client switches CSRF off unless told."""
    return Client(enforce_csrf_checks=True)


def basic(login: str = "alice", password: str = PASSWORD) -> dict[str, str]:
    raw = base64.b64encode(f"{login}:{password}".encode()).decode()
    return {"HTTP_AUTHORIZATION": f"Basic {raw}"}


NGINX = {contract.environ_key(contract.AUTH_URL_HEADER): "/media/a.png"}
FORWARD = {contract.environ_key(contract.FORWARD_AUTH_URL_HEADER): "/media/a.png?b=c"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize(
    "more",
    [{}, {"HTTP_IF_NONE_MATCH": "*"}, {"HTTP_IF_NONE_MATCH": '"x"'}, {"HTTP_RANGE": "bytes=0-1"}],
    ids=str,
)
def test_r20_three_words(alice: User, web: Client, method: str, more: dict[str, str]) -> None:
    """200, 401 and 403, under all middleware, for any method, and whatever the client wants of
    the file that it really asked for."""

    def ask(path: str, **given: str) -> int:
        return web.generic(method, path, **NGINX, **more, **given).status_code

    assert ask("/nginx/", **basic()) == 200
    assert ask("/nginx/", **basic(password="wrong")) == 401
    assert ask("/nginx/", **basic("nobody")) == 401
    assert ask("/nginx/", HTTP_ACCEPT="text/html") == 401
    assert ask("/nginx/staff/", **basic()) == 403


def test_r20_throttled_is_403_for_nginx(
    alice: User, web: Client, auth: Callable[..., None]
) -> None:
    """nginx would make 500 of 429; the others hand it on."""
    auth(THROTTLE={"FAILURES": 1})
    web.get("/nginx/", **basic(password="wrong"))
    assert web.get("/nginx/", **basic()).status_code == 403
    assert web.get("/forward/", **basic()).status_code == 429


@pytest.mark.parametrize("slash", [True, False])
def test_r20_an_endpoint_that_has_its_url_is_not_redirected(
    alice: User, web: Client, settings: Any, slash: bool
) -> None:
    """APPEND_SLASH mends what leads nowhere; emitted configuration asks at the very URL. A name
    that is not in ALLOWED_HOSTS opens nothing."""
    settings.APPEND_SLASH = slash
    assert web.get("/nginx/", **basic()).status_code == 200
    assert web.get("/nginx/").status_code == 401
    settings.ALLOWED_HOSTS = ["example.com"]
    assert web.get("/nginx/", **basic(), HTTP_HOST="elsewhere.invalid").status_code == 400


def test_r20_never_cached(alice: User, web: Client) -> None:
    """An answer is for one request, and Django's cache keeps none."""
    for given in ({}, basic()):
        response = web.get("/nginx/", **given)
        assert set(response["Cache-Control"].split(", ")) == {"no-store", "private"}
        assert "ETag" not in response
    assert web.get("/nginx/").status_code == 401


def test_a_session_passes(alice: User, web: Client) -> None:
    """Of an active user, under the policy of the URL."""
    web.force_login(alice)
    assert web.get("/nginx/").status_code == 200
    assert web.get("/nginx/staff/").status_code == 403
    assert web.get("/nginx/basic/").status_code == 401
    User.objects.update(is_staff=True)
    from django_deploykit.auth import state

    state.reset()
    assert web.get("/nginx/staff/").status_code == 200


def test_a_session_of_a_backend_that_was_taken_out_is_none(
    alice: User, web: Client, settings: Any
) -> None:
    """As it is to Django: whoever that one let in has to log in by another."""
    backend, others = "tests.people.backends.Choosy", settings.AUTHENTICATION_BACKENDS
    settings.AUTHENTICATION_BACKENDS = [backend, *others]
    web.force_login(alice, backend)
    assert web.get("/nginx/").status_code == 200
    settings.AUTHENTICATION_BACKENDS = others
    assert web.get("/nginx/").status_code == 401


def test_schemes(alice: User, web: Client) -> None:
    """A password counts, and is asked for, where the view says so."""
    assert web.get("/nginx/session/", **basic()).status_code == 401
    assert "WWW-Authenticate" not in web.get("/nginx/session/")
    expected = 'Basic realm="Restricted", charset="UTF-8"'
    assert web.get("/nginx/basic/")["WWW-Authenticate"] == expected
    assert web.get("/nginx/basic/", **basic()).status_code == 200


def test_r17_one_dialect(alice: User, web: Client) -> None:
    """What the other server would say changes nothing, be it all said at once."""
    everything = {contract.environ_key(name): "/public/" for name in contract.PREFIX_HEADERS}
    everything |= {contract.environ_key(name): "/public/" for name in contract.IDENTITY_HEADERS}
    nginx = {contract.environ_key(contract.AUTH_URL_HEADER): "/nginx-says?n"}
    forward = {contract.environ_key(contract.FORWARD_AUTH_URL_HEADER): "/forward-says?f"}
    nginx[contract.environ_key(contract.AUTH_METHOD_HEADER)] = "PUT"
    forward[contract.environ_key(contract.FORWARD_AUTH_METHOD_HEADER)] = "DELETE"
    urls.seen.clear()
    for path in ("/nginx/seen/", "/forward/seen/"):
        assert web.get(path, **everything, **nginx, **forward, **basic()).status_code == 200
    assert urls.seen == [("/nginx-says", "PUT", "n"), ("/forward-says", "DELETE", "f")]
    # No header chooses another policy.
    web.force_login(alice)
    assert web.get("/nginx/staff/", **everything, **nginx).status_code == 403


@pytest.mark.parametrize(
    "target", ["/a%2fb", "/a\\b", "/a%5cb", "/a%00", "/a#b", "/a//../b", "http://x/", "", "*"]
)
def test_r18_a_path_of_two_readings_is_refused(alice: User, web: Client, target: str) -> None:
    """Also to those who may see everything."""
    asked = {contract.environ_key(contract.AUTH_URL_HEADER): target}
    assert web.get("/nginx/", **asked, **basic()).status_code == 403


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("/nginx/seen/", contract.AUTH_URL_HEADER),
        ("/forward/seen/", contract.FORWARD_AUTH_URL_HEADER),
    ],
)
@pytest.mark.parametrize("target", ["/geheim-%C3%A4/x", wire("/geheim-ä/x")], ids=ascii)
def test_r18_a_path_of_bytes_is_the_one_that_is_looked_up(
    alice: User, web: Client, path: str, header: str, target: str
) -> None:
    """Raw or encoded, a policy is asked about the directory that the server opens."""
    urls.seen.clear()
    asked = {contract.environ_key(header): target}
    assert web.get(path, **asked, **basic()).status_code == 200
    assert [seen[0] for seen in urls.seen] == ["/geheim-ä/x"]


def test_r22_the_way_back_has_the_letters_of_the_url(web: Client) -> None:
    """Bytes as they are come back as the same letters, not as what a gateway makes of them."""
    url = contract.environ_key(contract.FORWARD_AUTH_URL_HEADER)
    response = web.get("/forward/", HTTP_ACCEPT="text/html", **{url: wire("/ä?ö")})
    assert response["Location"] == "/accounts/login/?next=%2F%C3%A4%3F%C3%B6"


@pytest.mark.parametrize("method", ["get", "G T", "", "GET\n", "A" * 40, "1"])
def test_a_method_that_is_none_is_refused(alice: User, web: Client, method: str) -> None:
    """A policy is asked about methods that exist."""
    asked = {contract.environ_key(contract.AUTH_METHOD_HEADER): method, **NGINX}
    assert web.get("/nginx/", **asked, **basic()).status_code == 403


@pytest.mark.parametrize("path", ["/nginx/", "/forward/", "/nginx/staff/"])
@pytest.mark.parametrize("rotated", [False, True])
def test_r19_the_session_is_read_only(
    alice: User, web: Client, settings: Any, path: str, rotated: bool
) -> None:
    """No cookie, no new expiry, no new key, though middleware would and SECRET_KEY changed.

    LoginRequiredMiddleware looks up the user before any view is asked, and with that changes the
    key itself: docs/reference/auth.md says so, and a check does.
    """
    web.force_login(alice)
    if rotated:
        settings.MIDDLEWARE = [name for name in MIDDLEWARE if "LoginRequired" not in name]
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "a new one"
    before = list(Session.objects.values_list())
    response = web.get(path)
    assert response.status_code == (403 if "staff" in path else 200)
    assert "Set-Cookie" not in response.headers
    assert not response.cookies
    assert list(Session.objects.values_list()) == before


def test_r19_a_made_up_session_is_not_adopted(web: Client) -> None:
    """A client's own key is nobody's session, and becomes none."""
    web.cookies["sessionid"] = "a" * 32
    response = web.get("/nginx/")
    assert response.status_code == 401
    assert not response.cookies
    assert not Session.objects.exists()


def test_r21_r22_the_forward_dialect(alice: User, web: Client) -> None:
    """A browser is shown the way, and back to its own host; who is known gets 403."""
    page = {"HTTP_ACCEPT": "text/html", **FORWARD}
    response = web.get("/forward/", **page)
    assert response.status_code == 302
    assert response["Location"] == "/accounts/login/?next=%2Fmedia%2Fa.png%3Fb%3Dc"
    away = {**page, contract.environ_key(contract.FORWARD_AUTH_URL_HEADER): "//evil.example/"}
    assert web.get("/forward/", **away)["Location"] == "/accounts/login/"
    posted = {contract.environ_key(contract.FORWARD_AUTH_METHOD_HEADER): "POST"}
    assert web.get("/forward/", **page, **posted).status_code == 401
    assert web.get("/forward/", **page, **basic(password="x")).status_code == 401
    assert web.get("/forward/basic/", **page).status_code == 401
    assert web.get("/forward/staff/", **page, **basic()).status_code == 403


def test_r22_the_way_to_log_in_for_nginx(alice: User, web: Client) -> None:
    """It stands beside a 401 that nginx understands, with the whole URL as one value; nginx itself
    cannot write a URL into a query."""
    url = contract.environ_key(contract.AUTH_URL_HEADER)
    page, told = {"HTTP_ACCEPT": "text/html"}, contract.AUTH_LOGIN_HEADER
    response = web.get("/nginx/", **page, **{url: "/a.png?b=c&next=//evil.example/"})
    assert response.status_code == 401
    assert response[told] == (
        "/accounts/login/?next=%2Fa.png%3Fb%3Dc%26next%3D%2F%2Fevil.example%2F"
    )
    assert web.get("/nginx/", **page, **{url: "//evil.example/"})[told] == "/accounts/login/"
    for path, headers in (
        ("/nginx/", {}),
        ("/nginx/", {**page, **basic(password="x")}),
        ("/nginx/", {**page, **basic()}),
        ("/nginx/basic/", page),
        ("/nginx/staff/", {**page, **basic()}),
    ):
        assert told not in web.get(path, **headers).headers


def test_r23_identity(db: None, web: Client) -> None:
    """Four headers in percent-encoded UTF-8, whatever a name is made of."""
    zoe = user("zoé", first_name="Zoé\r\nX: y", last_name="日本", email="zoé@example.com")
    zoe.groups.add(Group.objects.create(name="a,b"), Group.objects.create(name="é"))
    response = web.get("/nginx/", **basic("zoé"))
    told = {name: response[name] for name in contract.AUTH_IDENTITY_HEADERS}
    assert all(value.isascii() for value in told.values())
    assert unquote(told["Remote-User"]) == "zoé"
    assert sorted(map(unquote, told["Remote-Groups"].split(","))) == ["a,b", "é"]
    assert unquote(told["Remote-Name"]) == "Zoé\r\nX: y 日本"
    assert told["Remote-Email"] == "zo%C3%A9@example.com"


def test_r23_what_is_unknown_is_empty(alice: User, web: Client) -> None:
    """A header that is not there would leave the client's own in place."""
    response = web.get("/nginx/", **basic())
    told = [response[name] for name in contract.AUTH_IDENTITY_HEADERS]
    assert told == ["alice", "", "", ""]
    refused = web.get("/nginx/staff/", **basic())
    assert not any(name in refused for name in contract.AUTH_IDENTITY_HEADERS)


@pytest.mark.parametrize(
    ("name", "told"),
    [(None, ""), ("", ""), (gettext_lazy("Zoé"), "Zo%C3%A9")],
    ids=["none", "", "lazy"],
)
def test_r23_a_model_may_have_no_full_name(
    alice: User, web: Client, monkeypatch: pytest.MonkeyPatch, name: Any, told: str
) -> None:
    """A column that may be NULL is empty, and no error."""
    monkeypatch.setattr(User, "get_full_name", lambda self: name)
    response = web.get("/nginx/", **basic())
    assert (response.status_code, response["Remote-Name"]) == (200, told)


def test_a_realm_in_any_letters(alice: User) -> None:
    """A challenge in UTF-8, as the authorizer writes it: nobody knows the scheme of a MIME word."""
    view = AuthRequestView.as_view(realm="Закрытая зона", schemes=["basic"])
    raw = view(RequestFactory().get("/"))["WWW-Authenticate"].encode("latin-1")
    assert raw.decode() == 'Basic realm="Закрытая зона", charset="UTF-8"'


def test_a_way_to_log_in_in_any_letters(web: Client, settings: Any) -> None:
    """As Django redirects there itself."""
    settings.LOGIN_URL = "/вход/"
    page = {"HTTP_ACCEPT": "text/html"}
    there = "/%D0%B2%D1%85%D0%BE%D0%B4/?next=%2Fmedia%2Fa.png"
    assert web.get("/nginx/", **page, **NGINX)[contract.AUTH_LOGIN_HEADER] == there
    assert web.get("/forward/", **page, **FORWARD)["Location"] == f"{there}%3Fb%3Dc"


@pytest.mark.parametrize("kind", [AuthRequestView, AsyncAuthRequestView])
@pytest.mark.parametrize("alias", ["default", "other"])
def test_no_transaction_comes_before_it(
    kind: type[AuthRequestView], alias: str, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """With ATOMIC_REQUESTS, Django refuses to begin one before an asynchronous view."""
    chosen = {**connections.settings["default"], "ATOMIC_REQUESTS": True}
    for every in (settings.DATABASES, connections.settings):
        monkeypatch.setitem(every, alias, chosen)
    view = kind.as_view()
    assert BaseHandler().make_view_atomic(view) is view


# Tenants


def by_host(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Middleware that chooses whose users there are: by a header, or else by the host."""

    def middleware(request: HttpRequest) -> HttpResponse:
        tenant.set(request.META.get("HTTP_X_TENANT") or request.get_host())
        return get_response(request)

    return middleware


class Silent:
    """A router, which may say anything at any time."""

    def db_for_read(self, model: Any, **hints: Any) -> None:
        """The default, this time."""


@pytest.fixture
def tenants(settings: Any, auth: Callable[..., None]) -> list[Resident]:
    """An "admin" of each of two; rows are good for a minute."""
    settings.AUTH_USER_MODEL = "people.Resident"
    settings.MIDDLEWARE = [f"{__name__}.by_host"]
    settings.ALLOWED_HOSTS = ["a.example", "b.example"]
    auth(REVALIDATE=60)
    found = [Resident(tenant=host, name="admin") for host in settings.ALLOWED_HOSTS]
    for one in found:
        one.set_password(one.tenant)
        one.save()
    return found


def _by_tenant(self: Any, name: str) -> Resident:
    found: Resident = self.get(name=name, tenant=tenant.get())
    return found


@pytest.mark.parametrize("chosen", ["manager", "router", "host"])
def test_a_password_of_one_tenant_opens_nothing_of_another(
    tenants: list[Resident],
    web: Client,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    chosen: str,
) -> None:
    """Whoever has the same name there, and whoever was asked about before: where a manager or a
    router chooses by whatever it likes, or anything by the host."""
    header = "HTTP_HOST" if chosen == "host" else "HTTP_X_TENANT"
    if chosen != "manager":
        monkeypatch.delattr(TenantsManager, "get_queryset")
        monkeypatch.setattr(TenantsManager, "get_by_natural_key", _by_tenant)
    if chosen == "router":
        settings.DATABASE_ROUTERS = [f"{__name__}.Silent"]
    for _ in range(3):
        for one, other in itertools.product(tenants, tenants):
            here = {"HTTP_HOST": "a.example", header: one.tenant}
            answer = web.get("/nginx/", **here, **basic("admin", other.tenant))
            assert answer.status_code == (200 if one is other else 401)


def test_a_session_of_one_tenant_opens_nothing_of_another(
    tenants: list[Resident], web: Client
) -> None:
    """Neither does that it is nobody's there end it here."""
    tenant.set("a.example")
    web.force_login(tenants[0])
    for _ in range(2):
        for host, status in (("a.example", 200), ("b.example", 401), ("a.example", 200)):
            assert web.get("/nginx/", HTTP_HOST=host).status_code == status


def test_r24_no_query_for_a_row_that_is_known(alice: User, web: Client, settings: Any) -> None:
    """Where users stand in one table, an endpoint remembers whom it read, too."""
    settings.MIDDLEWARE = []
    for _ in range(2):
        assert web.get("/nginx/", **basic()).status_code == 200
    with CaptureQueriesContext(connections["default"]) as asked:
        assert web.get("/nginx/", **basic()).status_code == 200
    assert not asked.captured_queries


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dialect": "ngnix"}, "Did you mean 'nginx'?"),
        ({"schemes": ["digest"]}, "unknown scheme 'digest'"),
        ({"schemes": []}, "unknown scheme ''"),
        ({"policy": ["staff", "group:Press"]}, "Give it one in DEPLOYKIT['AUTH']['POLICIES']."),
    ],
    ids=str,
)
def test_a_mistaken_view_is_refused_at_once(given: Any, message: str) -> None:
    """Where the URL is written, not when the first client asks."""
    with pytest.raises(ImproperlyConfigured) as error:
        AuthRequestView.as_view(**given)
    assert message in str(error.value)


def test_an_error_is_no_refusal(alice: User, settings: Any) -> None:
    """500, which every server takes for one: nobody passes, and nobody is asked again."""
    settings.AUTHENTICATION_BACKENDS = ["tests.people.backends.Broken"]
    failing = Client(raise_request_exception=False)
    assert failing.get("/nginx/", **basic()).status_code == 500


# R10


class Away(BaseCache):
    """A cache whose server does not answer."""

    def __init__(self, *args: Any) -> None:
        super().__init__({})

    def get(self, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("the cache does not answer")

    add = set = touch = get_many = get


def breaks_down(settings: Any, what: str) -> None:
    """Let something be away that an answer needs."""
    if what in ("Broken", "Chained"):
        settings.AUTHENTICATION_BACKENDS = [f"tests.people.backends.{what}"]
        return
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.Away"}}
    settings.DEPLOYKIT = {"AUTH": {what: {"SHARED": "default"}}}


@pytest.mark.parametrize("path", ["/nginx/", "/forward/", "/async/"])
@pytest.mark.parametrize("what", ["Broken", "Chained", "CACHE", "THROTTLE"])
@pytest.mark.django_db(transaction=True)
def test_r10_no_password_in_a_report_of_an_error(settings: Any, path: str, what: str) -> None:
    """Django mails variables to the administrators: no password, no header, and no hash."""
    settings.MIDDLEWARE = []
    stored = user("alice").password
    breaks_down(settings, what)
    reports: list[str] = []

    def keep(request: HttpRequest, **kwargs: Any) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.extend([reporter.get_traceback_html(), reporter.get_traceback_text()])

    got_request_exception.connect(keep)
    try:
        if path == "/async/":
            with pytest.raises((RuntimeError, ConnectionError)):
                asyncio.run(_ask_async(path, **basic()))
        else:
            answer = Client(raise_request_exception=False).get(path, **basic())
            assert answer.status_code == 500
    finally:
        got_request_exception.disconnect(keep)
    assert len(reports) == 2
    assert "does not answer" in reports[0]
    for secret in (PASSWORD, basic()["HTTP_AUTHORIZATION"].removeprefix("Basic "), stored):
        assert not [report for report in reports if escape(secret) in report]


# Async


@pytest.mark.django_db(transaction=True)
async def _ask_async(path: str, **given: str) -> int:
    headers = {"authorization": given["HTTP_AUTHORIZATION"]} if given else {}
    response = await AsyncClient().get(path, headers=headers)
    return response.status_code


@pytest.mark.django_db(transaction=True)
def test_r39_no_hash_on_the_event_loop(settings: Any) -> None:
    """The loop goes on while a password is verified, as Django's own aauthenticate lets it not."""
    settings.MIDDLEWARE = []
    user("alice")
    loops: list[Any] = []

    def note() -> None:
        try:
            loops.append(asyncio.get_running_loop())
        except RuntimeError:
            loops.append(threading.current_thread())

    CountedHasher.wait = staticmethod(note)

    async def main() -> list[int]:
        return [
            await _ask_async("/async/", **basic()),
            await _ask_async("/async/", **basic(password="wrong")),
            await _ask_async("/async/staff/", **basic()),
            await _ask_async("/async/"),
        ]

    assert asyncio.run(main()) == [200, 401, 403, 401]
    assert len(loops) == 2
    assert all(isinstance(one, threading.Thread) for one in loops)


def test_the_defaults_of_django_are_what_is_tested() -> None:
    """LOGIN_URL, as the redirects above have it."""
    assert global_settings.LOGIN_URL == "/accounts/login/"
