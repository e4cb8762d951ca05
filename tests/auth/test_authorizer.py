"""The FastCGI authorizer, asked as Apache, lighttpd and nginx ask it (R15, R16, R20-R23, R39)."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.test import Client
from django.views.debug import ExceptionReporter

from django_deploykit.auth import authorizer, fastcgi
from django_deploykit.auth.accounts import Accounts
from django_deploykit.auth.authorizer import Authorizer
from django_deploykit.auth.sessions import session_account
from django_deploykit.auth.sockets import listening
from django_deploykit.management import authorizer as command
from tests.auth import fastcgi_client as fcgi
from tests.auth.conftest import PASSWORD, basic, serving, user
from tests.auth.fastcgi_client import Record, ask
from tests.projects import Project, start_project

ROLE = "FCGI_APACHE_ROLE"


def cookie(client: Client, who: User) -> str:
    client.force_login(who)
    return f"sessionid={client.cookies['sessionid'].value}"


# As AuthBasicProvider: a name and a password


def test_a_password_is_checked(address: Any, zoe: User) -> None:
    """200 with the name for a right one; 401 for any other."""
    role = {ROLE: "AUTHENTICATOR"}
    good = ask(address, REMOTE_USER="zoé", REMOTE_PASSWD=PASSWORD, **role)
    assert good == ("200 OK", {"Variable-DEPLOYKIT_USER": "zoé"}, "")
    for name, password in (("zoé", "wrong"), ("zoé", ""), ("nobody", PASSWORD), ("", "")):
        status, headers, _ = ask(address, REMOTE_USER=name, REMOTE_PASSWD=password, **role)
        assert status == "401 Unauthorized"
        assert "Variable-DEPLOYKIT_USER" not in headers


def test_only_the_proper_name_passes(transactional_db: None, settings: Any) -> None:
    """Apache keeps the name as it was typed, and rules compare it exactly."""
    from tests.people.models import Member

    settings.AUTH_USER_MODEL = "people.Member"
    Member.objects.create_user("ann@example.com", PASSWORD)
    with serving(Authorizer("active", "x")) as address:
        typed = ask(address, REMOTE_USER="ANN@example.com", REMOTE_PASSWD=PASSWORD)
        assert typed[0] == "403 Forbidden"
        proper = ask(address, REMOTE_USER="ann@example.com", REMOTE_PASSWD=PASSWORD)
        assert proper[0] == "200 OK"


# As "Require": a name that Apache vouches for


def test_a_name_is_judged(address: Any, zoe: User) -> None:
    """The policy is asked about it, and no password."""
    assert ask(address, REMOTE_USER="zoé", FCGI_APACHE_ROLE="AUTHORIZER")[0] == "200 OK"
    for name in ("nobody", ""):
        assert ask(address, REMOTE_USER=name, FCGI_APACHE_ROLE="AUTHORIZER")[0] != "200 OK"
    # Whose password Apache has yet to ask for is nobody.
    assert ask(address, REMOTE_USER="zoé", FCGI_APACHE_ROLE="AUTHENTICATOR")[0] != "200 OK"
    staff = {"DEPLOYKIT_POLICY": "staff", ROLE: "AUTHORIZER"}
    assert ask(address, REMOTE_USER="zoé", **staff)[0] == "403 Forbidden"


# As AuthnzFcgiCheckAuthnProvider, and for lighttpd: the answer goes to the client


def test_a_session_passes(address: Any, zoe: User, client: Client) -> None:
    """A cookie of Django's is as good as a password."""
    good = ask(address, HTTP_COOKIE=cookie(client, zoe))
    assert good == ("200 OK", {"Variable-DEPLOYKIT_USER": "zoé"}, "")


def test_a_session_of_a_backend_that_is_gone_is_nobodys(
    address: Any, zoe: User, client: Client, settings: Any
) -> None:
    """As to Django: a backend that settings name no more opens nothing, whoever logged in by it."""
    kept = cookie(client, zoe)
    settings.AUTHENTICATION_BACKENDS = ["tests.people.backends.Recording"]
    assert ask(address, HTTP_COOKIE=kept)[0] == "401 Unauthorized"


def test_a_basic_header_passes(address: Any, zoe: User) -> None:
    """lighttpd hands it over, and Apache with CGIPassAuth."""
    assert ask(address, HTTP_AUTHORIZATION=basic("zoé", PASSWORD))[0] == "200 OK"
    status, headers, _ = ask(address, HTTP_AUTHORIZATION=basic("zoé", "wrong"))
    assert status == "401 Unauthorized"
    assert headers["WWW-Authenticate"] == r'Basic realm="The \"realm\"", charset="UTF-8"'


def test_a_bad_header_is_not_mended_by_a_cookie(address: Any, zoe: User, client: Client) -> None:
    """Who sends both is judged by the password."""
    both = {"HTTP_COOKIE": cookie(client, zoe), "HTTP_ACCEPT": "text/html"}
    assert ask(address, HTTP_AUTHORIZATION=basic("zoé", "x"), **both)[0] == "401 Unauthorized"
    # Of another scheme, it is none of our business.
    assert ask(address, HTTP_AUTHORIZATION="Bearer x", **both)[0] == "200 OK"


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"HTTP_ACCEPT": "text/html,*/*"}, "302 Found"),
        ({"HTTP_ACCEPT": "text/html", "REQUEST_METHOD": "HEAD"}, "302 Found"),
        ({"HTTP_ACCEPT": "text/html", "REQUEST_METHOD": "PROPFIND"}, "401 Unauthorized"),
        ({"HTTP_ACCEPT": "image/png"}, "401 Unauthorized"),
        ({}, "401 Unauthorized"),
    ],
    ids=str,
)
def test_a_person_is_shown_the_way(address: Any, params: dict[str, str], status: str) -> None:
    """A browser is sent to log in, and to come back; a client is asked for a password."""
    got, headers, _ = ask(address, REQUEST_URI="/area/%C3%A9?q=1&r", **params)
    assert got == status
    if status == "302 Found":
        expected = "/accounts/login/?next=%2Farea%2F%25C3%25A9%3Fq%3D1%26r"
        assert headers["Location"] == expected
    else:
        assert headers["WWW-Authenticate"].startswith("Basic ")
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("target", ["//evil.example/x", "///evil.example", "/\t/evil.example"])
def test_r22_the_way_back_leads_to_this_host(address: Any, target: str) -> None:
    """No login page sends anybody to where the link came from."""
    status, headers, _ = ask(address, REQUEST_URI=target, HTTP_ACCEPT="text/html")
    assert "evil" not in headers.get("Location", "")
    assert status in ("302 Found", "403 Forbidden")


def test_r21_who_is_known_and_not_allowed_gets_403(address: Any, zoe: User, client: Client) -> None:
    """To send them to the login page would lead back here, for ever."""
    asked = {"DEPLOYKIT_POLICY": "superuser", "HTTP_ACCEPT": "text/html"}
    assert ask(address, HTTP_COOKIE=cookie(client, zoe), **asked)[0] == "403 Forbidden"
    assert ask(address, HTTP_AUTHORIZATION=basic("zoé", PASSWORD), **asked)[0] == "403 Forbidden"


def test_too_many_failures_have_a_status(
    address: Any, zoe: User, auth: Callable[..., None]
) -> None:
    """429 where the client sees it."""
    auth(THROTTLE={"FAILURES": 1})
    ask(address, HTTP_AUTHORIZATION=basic("zoé", "x"))
    status = ask(address, HTTP_AUTHORIZATION=basic("zoé", PASSWORD))[0]
    assert status == "429 Too Many Requests"


@pytest.mark.parametrize("target", ["/area%2fx", "/a\\b", "*", "", "/%00", "/a//../b"])
def test_a_path_of_two_readings_is_refused(address: Any, zoe: User, target: str) -> None:
    """R18, for those who know the password, too."""
    authorization = basic("zoé", PASSWORD)
    assert ask(address, REQUEST_URI=target, HTTP_AUTHORIZATION=authorization)[0] == "403 Forbidden"


def _is_not_secret(user: Any, request: Any) -> bool:
    return not request.path.startswith("/geheim-ä/")


@pytest.mark.parametrize("target", ["/geheim-%C3%A4/x", "/geheim-ä/x"])
@pytest.mark.parametrize("role", [fcgi.RESPONDER, fcgi.AUTHORIZER])
def test_r18_a_path_of_bytes_is_the_one_that_is_looked_up(
    address: Any, zoe: User, auth: Callable[..., None], role: int, target: str
) -> None:
    """Raw or encoded, a policy is asked about the directory that the server opens."""
    auth(POLICIES={"outside": _is_not_secret})
    asked = {"DEPLOYKIT_POLICY": "outside", "HTTP_AUTHORIZATION": basic("zoé", PASSWORD)}
    assert ask(address, role, REQUEST_URI="/offen-ä/x", **asked)[0] == "200 OK"
    assert ask(address, role, REQUEST_URI=target, **asked)[0] == "403 Forbidden"


def test_r22_the_way_back_has_the_letters_of_the_url(address: Any) -> None:
    """Bytes as they are come back as the same letters, for each server."""
    page = {"REQUEST_URI": "/ä?ö", "HTTP_ACCEPT": "text/html"}
    expected = "/accounts/login/?next=%2F%C3%A4%3F%C3%B6"
    assert ask(address, **page)[1]["Location"] == expected
    assert ask(address, fcgi.RESPONDER, **page)[1]["X-Deploykit-Login"] == expected


@pytest.mark.parametrize("engine", ["db", "cached_db", "cache", "signed_cookies"])
@pytest.mark.usefixtures("transactional_db")
def test_r19_sessions_are_not_written(settings: Any, engine: str) -> None:
    """Not prolonged, not saved, and under the key they have, also after SECRET_KEY changed."""
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_SAVE_EVERY_REQUEST = True
    client = Client()
    sent = cookie(client, user("alice"))
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new one"
    before = list(Session.objects.values_list())
    with serving(Authorizer("active", "x")) as address:
        status, headers, _ = ask(address, HTTP_COOKIE=sent)
    assert (status, headers) == ("200 OK", {"Variable-DEPLOYKIT_USER": "alice"})
    assert list(Session.objects.values_list()) == before


def test_a_session_ends_with_the_password(
    address: Any, zoe: User, client: Client, auth: Callable[..., None]
) -> None:
    """As Django ends it; and an inactive user's session is nobody's."""
    auth(REVALIDATE=0)
    sent = cookie(client, zoe)
    zoe.set_password("another")
    zoe.save()
    assert ask(address, HTTP_COOKIE=sent)[0] == "401 Unauthorized"
    sent = cookie(client, zoe)
    User.objects.update(is_active=False)
    assert ask(address, HTTP_COOKIE=sent, DEPLOYKIT_POLICY="active")[0] == "401 Unauthorized"


def test_a_session_may_be_newer_than_the_row_that_is_known(
    address: Any, zoe: User, client: Client, auth: Callable[..., None]
) -> None:
    """Who changes the password goes on with a new session; whoever has the old one does not."""
    auth(REVALIDATE=60)
    old = cookie(client, zoe)
    assert ask(address, HTTP_COOKIE=old)[0] == "200 OK"
    zoe.set_password("another")
    zoe.save()
    new = cookie(Client(), zoe)
    for sent, status in ((new, "200 OK"), (old, "401 Unauthorized"), (new, "200 OK")):
        assert ask(address, HTTP_COOKIE=sent)[0] == status


def test_an_old_session_asks_once(zoe: User, django_assert_num_queries: Any) -> None:
    """A page of a hundred files asks a hundred times; the row that is known does not change."""
    accounts, session = Accounts(9, 60), SessionBase()
    session.update({"_auth_user_id": str(zoe.pk), "_auth_user_hash": "old"})
    session["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
    with django_assert_num_queries(2):
        for _ in range(9):
            assert session_account(session, accounts) is None
    session["_auth_user_hash"] = zoe.get_session_auth_hash()
    with django_assert_num_queries(0):
        assert session_account(session, accounts)


def test_a_way_to_log_in_in_any_letters(address: Any, settings: Any) -> None:
    """A URL is ASCII."""
    settings.LOGIN_URL = "/вход/"
    location = ask(address, HTTP_ACCEPT="text/html")[1]["Location"]
    assert location == "/%D0%B2%D1%85%D0%BE%D0%B4/?next=%2Farea%2Fx"


# R15: Status first, always


def test_r15_an_error_is_500(address: Any, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Never 503, which Apache takes for a wrong password; and the reason is in the log alone."""
    settings.AUTHENTICATION_BACKENDS = ["tests.people.backends.Broken"]
    status, headers, body = ask(address, REMOTE_USER="zoé", REMOTE_PASSWD="a secret")
    assert status == "500 Internal Server Error"
    assert "directory" not in body + str(headers)
    assert "the directory does not answer" in caplog.text
    assert "a secret" not in caplog.text


@pytest.mark.parametrize("given", ["REMOTE_PASSWD", "HTTP_AUTHORIZATION"])
def test_r10_no_password_in_a_report_of_an_error(
    address: Any, settings: Any, caplog: pytest.LogCaptureFixture, given: str
) -> None:
    """Nor where the log is mailed to the administrators, with variables."""
    settings.AUTHENTICATION_BACKENDS = ["tests.people.backends.Broken"]
    sent = {"REMOTE_PASSWD": PASSWORD, "HTTP_AUTHORIZATION": basic("zoé", PASSWORD)}[given]
    assert ask(address, REMOTE_USER="zoé", **{given: sent})[0] == "500 Internal Server Error"
    (found,) = [record.exc_info for record in caplog.records if record.exc_info]
    report = ExceptionReporter(None, *found).get_traceback_html()
    assert "the directory does not answer" in report
    assert PASSWORD not in report
    assert sent not in report


def test_r15_an_unknown_policy_is_500(address: Any, zoe: User) -> None:
    """A misspelt policy in the server's configuration lets nobody in."""
    asked = {"HTTP_AUTHORIZATION": basic("zoé", PASSWORD), "DEPLOYKIT_POLICY": "svm"}
    assert ask(address, **asked)[0] == "500 Internal Server Error"


@pytest.mark.parametrize("name", ["a\r\nStatus: 200", "a\nb", "a\0b"])
def test_r15_no_name_makes_a_header(name: str) -> None:
    """A name that would end its line is an error."""
    with pytest.raises(ValueError, match="cannot be told"):
        authorizer._variables(name)


def test_r16_the_token(transactional_db: None, zoe: User) -> None:
    """Without it nobody is told anything, be the password right."""
    with serving(Authorizer("active", "x", token="s3cret")) as address:
        asked = {"HTTP_AUTHORIZATION": basic("zoé", PASSWORD)}
        for shown in ({}, {"DEPLOYKIT_TOKEN": "s3cre"}, {"HTTP_DEPLOYKIT_TOKEN": "s3cret"}):
            assert ask(address, **asked, **shown)[0] == "500 Internal Server Error"
        assert ask(address, **asked, DEPLOYKIT_TOKEN="s3cret")[0] == "200 OK"
    assert "s3cret" not in repr(Authorizer("active", "x", token="s3cret"))


def test_the_site(transactional_db: None, zoe: User, caplog: pytest.LogCaptureFixture) -> None:
    """An authorizer that was told its site answers no other one, nor who names none."""
    asked = {"HTTP_AUTHORIZATION": basic("zoé", PASSWORD)}
    with serving(Authorizer("active", "x", site="shop")) as address:
        for named in ({}, {"DEPLOYKIT_SITE": "blog"}, {"HTTP_DEPLOYKIT_SITE": "shop"}):
            for role in (fastcgi.AUTHORIZER, fastcgi.RESPONDER):
                assert ask(address, role, **asked, **named)[0] == "500 Internal Server Error"
        assert ask(address, **asked, DEPLOYKIT_SITE="shop")[0] == "200 OK"
    assert "'blog'" in caplog.text
    with serving(Authorizer("active", "x")) as address:
        assert ask(address, **asked, DEPLOYKIT_SITE="blog")[0] == "200 OK"


# For nginx, which asks in the role of a responder, and shows the client nothing of the answer


def test_r23_nginx_is_told_who_passes(address: Any, zoe: User, client: Client) -> None:
    """By session or password; in all four headers, as by the endpoint."""
    told = dict.fromkeys(("Remote-Groups", "Remote-Name", "Remote-Email"), "")
    for asked in (
        {"HTTP_COOKIE": cookie(client, zoe)},
        {"HTTP_AUTHORIZATION": basic("zoé", PASSWORD)},
    ):
        answer = ask(address, fcgi.RESPONDER, **asked)
        assert answer == ("200 OK", {"Remote-User": "zo%C3%A9", **told}, "")


def test_r20_nginx_gets_one_of_three_answers(
    address: Any, zoe: User, client: Client, auth: Callable[..., None]
) -> None:
    """Any other would be an error there. Beside 401 it is told where to log in, and the prompt."""
    auth(THROTTLE={"FAILURES": 1})
    page = {"HTTP_ACCEPT": "text/html", "REQUEST_URI": "/area/x?q=1"}
    status, headers, _ = ask(address, fcgi.RESPONDER, **page)
    assert status == "401 Unauthorized"
    assert headers["X-Deploykit-Login"] == "/accounts/login/?next=%2Farea%2Fx%3Fq%3D1"
    assert headers["WWW-Authenticate"].startswith("Basic ")
    wrong = basic("zoé", "x")
    status, headers, _ = ask(address, fcgi.RESPONDER, HTTP_AUTHORIZATION=wrong, **page)
    assert (status, "X-Deploykit-Login" in headers) == ("401 Unauthorized", False)
    for asked in (
        {"HTTP_AUTHORIZATION": wrong},  # too often
        {"HTTP_COOKIE": cookie(client, zoe), "DEPLOYKIT_POLICY": "staff"},
        {"HTTP_COOKIE": cookie(client, zoe), "REQUEST_URI": "/area%2fx"},
    ):
        assert ask(address, fcgi.RESPONDER, **{**page, **asked})[0] == "403 Forbidden"


def test_what_makes_apache_believe_a_name_is_nothing_to_nginx(address: Any, zoe: User) -> None:
    """It vouches for nobody."""
    for asked in ({"FCGI_APACHE_ROLE": "AUTHORIZER"}, {"REMOTE_PASSWD": PASSWORD}):
        assert ask(address, fcgi.RESPONDER, REMOTE_USER="zoé", **asked)[0] == "401 Unauthorized"


def _wants_one(user: Any, request: Any) -> bool:
    return bool(request.GET == {"q": ["1"]} and request.path == "/area/x")


def test_a_policy_sees_the_query_that_nginx_holds(
    address: Any, zoe: User, auth: Callable[..., None]
) -> None:
    """And not that of nginx's own question, which has none."""
    auth(POLICIES={"one": _wants_one})
    asked = {"HTTP_AUTHORIZATION": basic("zoé", PASSWORD), "DEPLOYKIT_POLICY": "one"}
    for target, status in (("/area/x?q=1", "200 OK"), ("/area/x?q=2", "403 Forbidden")):
        answer = ask(address, fcgi.RESPONDER, REQUEST_URI=target, QUERY_STRING="", **asked)
        assert answer[0] == status


# The protocol


def test_parameters_may_be_cut_anywhere(address: Any, zoe: User) -> None:
    """A pair goes on in the next record, and records arrive in pieces."""
    long = {"HTTP_AUTHORIZATION": basic("zoé", PASSWORD), "REQUEST_URI": "/" + "x" * 70_000}
    stream = fcgi.pairs(long)
    parts = [stream[start : start + 999] for start in range(0, len(stream), 999)]
    sent = fcgi.begin() + b"".join(fcgi.record(fcgi.PARAMS, part, padding=1) for part in parts)
    sent += fcgi.record(fcgi.PARAMS) + fcgi.record(fcgi.STDIN)
    pieces = (sent[start : start + 777] for start in range(0, len(sent), 777))
    answer = fcgi.exchange(address, *pieces)
    assert answer[0].content.startswith(b"Status: 200 OK\r\n")


def test_another_role_is_refused(address: Any) -> None:
    """FCGI_UNKNOWN_ROLE: this is no filter."""
    assert fcgi.exchange(address, fcgi.begin(fcgi.FILTER)) == [
        Record(fcgi.END, 1, b"\0\0\0\0\x03\0\0\0")
    ]


def test_a_second_request_beside_the_first_is_refused(address: Any) -> None:
    """FCGI_CANT_MPX_CONN, and the first is answered."""
    params = fcgi.record(fcgi.PARAMS, fcgi.pairs({"REQUEST_URI": "/"})) + fcgi.record(fcgi.PARAMS)
    other = fcgi.record(fcgi.PARAMS, fcgi.pairs({"A": "b"}), number=2)
    answer = fcgi.exchange(address, fcgi.begin(), fcgi.begin(number=2), other, params)
    assert answer[0] == Record(fcgi.END, 2, b"\0\0\0\0\x01\0\0\0")
    assert answer[1].content.startswith(b"Status: 401 ")


def test_a_question_about_the_application_is_unknown(address: Any) -> None:
    """FCGI_UNKNOWN_TYPE with the type, and the connection goes on."""
    answer = fcgi.exchange(
        address, fcgi.record(fcgi.GET_VALUES, number=0), fcgi.request({"REQUEST_URI": "/"})
    )
    assert answer[0] == Record(fcgi.UNKNOWN, 0, bytes([fcgi.GET_VALUES, *bytes(7)]))
    assert answer[1].content.startswith(b"Status: 401 ")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        fcgi.begin() + fcgi.record(fcgi.ABORT),
        fcgi.begin() + fcgi.record(fcgi.PARAMS, b"\x05\x05ab") + fcgi.record(fcgi.PARAMS),
        fcgi.begin() + fcgi.record(fcgi.PARAMS, b"\x80\x00") + fcgi.record(fcgi.PARAMS),
    ],
    ids=["http", "aborted", "cut off", "cut length"],
)
def test_what_is_no_request_gets_no_answer(address: Any, zoe: User, sent: bytes) -> None:
    """No answer is a refusal for both servers; the next request is answered as ever."""
    assert fcgi.exchange(address, sent) == []
    assert ask(address, HTTP_AUTHORIZATION=basic("zoé", PASSWORD))[0] == "200 OK"


def test_parameters_are_bounded(address: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody fills the memory with them."""
    monkeypatch.setattr(fastcgi, "_PARAMS_SIZE", 1000)
    assert fcgi.exchange(address, fcgi.request({"REQUEST_URI": "/" + "x" * 2000})) == []


# The command


@pytest.mark.parametrize("where", ["port", "path"])
def test_the_command_serves_until_it_is_told_to_end(tmp_path: Path, where: str) -> None:
    """It says when it answers, answers, and ends with status 0 on SIGTERM."""
    project = start_project(tmp_path / "shop")
    assert project.manage("migrate", "-v0").returncode == 0
    path = str(tmp_path / "a.sock")
    bind = path if where == "path" else "127.0.0.1:0"
    process = subprocess.Popen(
        [sys.executable, "manage.py", "runauthorizer", "--bind", bind],
        cwd=project.directory,
        env=project.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    with process:
        ready = process.stdout.readline().split()
        assert ready[0] == "ready"
        address = path if where == "path" else ("127.0.0.1", int(ready[1].rpartition(":")[2]))
        assert ask(address)[0] == "401 Unauthorized"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert not Path(path).exists()


def test_what_is_no_socket_stays(tmp_path: Path) -> None:
    """A path that is somebody's file is refused, and the file is still there."""
    path = tmp_path / "precious.txt"
    path.write_text("precious")
    with pytest.raises(OSError, match="in use"), command._bound(str(path)):
        pass
    assert path.read_text() == "precious"


def test_who_ends_leaves_the_socket_to_who_came_after(tmp_path: Path) -> None:
    """One that still answers its last requests, while the next one listens already."""
    path = str(tmp_path / "a.sock")
    with command._bound(path) as draining:
        later = command._bound(path)
        listener = later.__enter__()
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.connect(path)
    later.__exit__(None, None, None)
    listener.close()
    draining.close()
    assert not Path(path).exists()


@pytest.mark.parametrize("words", [["runauthorizer"], ["deployauth", "alice"]])
def test_a_project_without_users(words: list[str], tmp_path: Path) -> None:
    """One that only names several sites has none: it is told so, and where they are."""
    without = "INSTALLED_APPS = ['django_deploykit']\nMIDDLEWARE = []\n"
    project = start_project(tmp_path / "server", f"{without}TEMPLATES = []\n")
    project.write("shop/urls.py", "urlpatterns = []\n")
    done = project.manage(*words)
    assert done.returncode == 2
    assert "'django.contrib.auth' is not there" in done.stderr
    assert "Traceback" not in done.stderr


def _handed(listener: socket.socket, project: Project, *more: str) -> subprocess.Popen[str]:
    """The command with a socket handed to it, as systemd does (sd_listen_fds(3))."""
    hand = "import os, sys; os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1');"
    hand += "os.dup2(int(sys.argv[1]), 3); os.execv(sys.argv[2], sys.argv[2:])"
    number = str(listener.fileno())
    command = [sys.executable, "manage.py", "runauthorizer", *more]
    return subprocess.Popen(
        [sys.executable, "-c", hand, number, *command],
        cwd=project.directory,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=[listener.fileno()],
    )


def test_nobody_has_to_wait_for_it(tmp_path: Path) -> None:
    """If nobody reads that it is ready, it ends as a program that SIGPIPE ends."""
    project = start_project(tmp_path / "shop")
    done = project.manage_unread("runauthorizer", "--bind", str(tmp_path / "unheard.sock"))
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def test_r16_it_serves_on_a_socket_that_it_is_handed(tmp_path: Path) -> None:
    """Whatever --bind says; the socket is the manager's and stays, and who asks meanwhile waits."""
    project = start_project(tmp_path / "shop")
    assert project.manage("migrate", "-v0").returncode == 0
    path = str(tmp_path / "held.sock")
    with listening(path) as listener, _handed(listener, project) as process:
        assert process.stdout
        assert process.stdout.readline() == f"ready {path}\n"
        assert ask(path)[0] == "401 Unauthorized"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        with socket.socket(socket.AF_UNIX) as waiting:
            waiting.connect(path)
    with socket.socket() as open_to_all:
        open_to_all.bind(("0.0.0.0", 0))  # noqa: S104 - what is refused
        for listens, why in ((False, "does not listen"), (True, "is not a loopback address")):
            if listens:
                open_to_all.listen()
            with _handed(open_to_all, project) as process:
                assert why in process.communicate(timeout=30)[1]
                assert process.returncode == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bind", "0.0.0.0:0"], "is not a loopback address"),
        (["--bind", "[::]:0"], "is not a loopback address"),
        (["--bind", "192.0.2.1:9010"], "is not a loopback address"),
        (["--bind", "localhost:9010"], "is not a loopback address"),
        (["--bind", "127.0.0.1"], "is neither ADDRESS:PORT nor a path"),
        (["--bind", "127.0.0.1:99999"], "is neither ADDRESS:PORT nor a path"),
        (["--policy", "stuff"], "unknown policy 'stuff'. Did you mean 'staff'?"),
        (["--token-file", "/nowhere"], "No such file"),
        (["--threads", "0"], "--threads"),
    ],
    ids=str,
)
def test_r16_what_the_command_refuses(options: list[str], message: str) -> None:
    """Other hosts may not connect unless that is asked for; mistakes end with status 2."""
    from django.core.management import CommandError, call_command

    with pytest.raises(CommandError) as error:
        call_command("runauthorizer", *options)
    assert message in str(error.value)
    assert error.value.returncode == 2


def test_an_empty_token_file_is_refused(tmp_path: Path) -> None:
    """It would be no token at all."""
    from django.core.management import CommandError, call_command

    path = tmp_path / "token"
    path.write_text("\n")
    with pytest.raises(CommandError, match="is empty"):
        call_command("runauthorizer", "--token-file", str(path))


def test_settings_that_cannot_be_used_are_refused_at_once(auth: Callable[..., None]) -> None:
    """Without a policy of its own too, as the emitted program is, whose start checks nothing."""
    from django.core.management import CommandError, call_command

    auth(REVALIDATE="often")
    with pytest.raises(CommandError, match=r"\['REVALIDATE'\]: 'often' is not a number") as error:
        call_command("runauthorizer", policy="", threads=0)
    assert error.value.returncode == 2
