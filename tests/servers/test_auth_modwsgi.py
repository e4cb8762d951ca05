"""Apache asks Django's users through mod_wsgi: the distribution's, and the package index's."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from django_deploykit.config.syntax.nodes import Argument, Node, Raw, block, directive
from tests.servers import harness
from tests.servers.apache_process import apache, wsgi_modules
from tests.servers.guarded import FILES, PASSWORD, Guarded, basic, guarded, is_secret
from tests.servers.harness import Server

WHY = "for this test"
MODULES = (
    *("auth_basic", "authn_core", "authn_file", "authz_user", "access_compat"),
    *("authz_host", "dav", "dav_fs"),
)

SCRIPT = """
from django_deploykit.handlers import bootstrap

bootstrap({settings!r}, stack="apache/mod_wsgi")

from django_deploykit.handlers.modwsgi import hooks

check_password, groups_for_user, allow_access = hooks({policy!r})
"""


def d(name: str, *args: Argument) -> Node:
    return directive(name, *args, why=WHY)


def within(name: str, *args: Argument, inside: Sequence[Node]) -> Node:
    return block(name, *args, children=list(inside), why=WHY)


def script(people: Guarded, name: str, settings: str, policy: str) -> str:
    """An auth script, with the project on its path as the emitted one has it."""
    path = f"import sys\nsys.path.insert(0, {str(people.project.directory)!r})\n"
    text = path + SCRIPT.format(settings=settings, policy=policy)
    return str(people.project.write(f"{name}.py", text))


def hook(kind: str, path: str) -> Node:
    return d(kind, path, Raw("application-group=%{GLOBAL}"))


def asks(path: str, *providers: str) -> list[Node]:
    names = providers or ("wsgi",)
    return [
        d("AuthType", Raw("Basic")),
        d("AuthName", "Guarded"),
        d("AuthBasicProvider", *map(Raw, names)),
        hook("WSGIAuthUserScript", path),
    ]


def nodes(people: Guarded, directory: Path) -> Iterator[Node]:
    """One process, so that its memory is the only one, and a directory for each kind of area."""
    for name, number in (
        *(("ServerLimit", 1), ("StartServers", 1), ("ThreadsPerChild", 16)),
        *(("ThreadLimit", 16), ("MaxRequestWorkers", 16)),
    ):
        yield d(name, number)
    yield d("DavLockDB", str(directory / "dav.lock"))
    yield d("Alias", "/files", str(people.files))
    active = script(people, "auth_active", "shop.settings", "active")
    staff = script(people, "auth_staff", "shop.settings", "staff")
    other = script(people, "auth_other", "other.settings", "active")
    valid = d("Require", Raw("valid-user"))
    dav = d("Dav", Raw("On"))
    yield within("Directory", str(people.files / "basic"), inside=[*asks(active), valid, dav])
    groups = [hook("WSGIAuthGroupScript", active), d("AuthzSendForbiddenOnFailure", Raw("On"))]
    rule = within("RequireAll", inside=[valid, d("Require", Raw("wsgi-group"), "@staff")])
    yield within("Directory", str(people.files / "staff"), inside=[*asks(active), *groups, rule])
    session = [hook("WSGIAccessScript", active), d("Satisfy", Raw("Any")), valid]
    yield within("Directory", str(people.files / "session"), inside=[*asks(active), *session])
    passwords = d("AuthUserFile", str(directory / "htpasswd"))
    page = [*asks(active, "wsgi", "file"), passwords, valid]
    yield within("Directory", str(people.files / "page"), inside=page)
    for name, inside in {
        "policy": [*asks(staff), valid],
        "other": [*asks(other), valid],
        "accent": [*asks(active), *groups, d("Require", Raw("wsgi-group"), "rédaction")],
        "user": [*asks(active), d("Require", Raw("user"), "zoé")],
    }.items():
        (people.files / name).mkdir(exist_ok=True)
        (people.files / name / "0.txt").write_text(f"secret {name}")
        yield within("Directory", str(people.files / name), inside=inside)


@pytest.fixture(scope="module")
def people(public: Path) -> Guarded:
    return guarded(public / "guarded-modwsgi")


def _whose(module: Path) -> str:
    return "pypi" if "site-packages" in str(module) else "distribution"


@pytest.fixture(scope="module", params=wsgi_modules(), ids=_whose)
def web(request: pytest.FixtureRequest, people: Guarded, public: Path) -> Iterator[Server]:
    """Apache with one of the modules; its log is named in ``log``."""
    harness.require_apache()
    directory = public / f"apache-{request.param_index}"
    directory.mkdir()
    directory.chmod(0o777)
    # An old line of a user who was deactivated since.
    (directory / "htpasswd").write_text(f"bob:{_sha(PASSWORD)}\ncarol:{_sha('carols')}\n")
    found = list(nodes(people, directory))
    with apache(directory, found, modules=MODULES, wsgi=request.param) as running:
        running.log.append(str(directory / "error.log"))
        yield running


def _sha(password: str) -> str:
    return "{SHA}" + base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()  # noqa: S324


def log(web: Server) -> str:
    return Path(web.log[0]).read_text(errors="replace")


FILE = "/files/basic/0.txt"


@pytest.mark.parametrize("name", ["alice", "zoé"])
def test_a_file_for_those_who_know_the_password(web: Server, name: str) -> None:
    """UTF-8 in names, and a colon in the password, on every mod_wsgi (R4)."""
    assert is_secret(web.get(FILE, basic(name)))


def test_latin_1_is_taken_where_mod_wsgi_survives_it(web: Server, people: Guarded) -> None:
    """Old clients; before 5.0.1 mod_wsgi's process ends in it, and nobody gets anything."""
    try:
        response = web.get(FILE, basic("zoé", encoding="latin-1"))
    except OSError:
        return
    assert response.status in (200, 401, 500)
    assert is_secret(response) == (response.status == 200)


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("alice", "wrong"),
        ("alice", ""),
        ("alice", f"{PASSWORD} "),
        ("alice", PASSWORD.upper()),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("", ""),
        ("bob", PASSWORD),
        ("alice\0", PASSWORD),
        # Apache cuts it at NUL, so that the rest of a right password may follow, but not the half.
        ("alice", f"{PASSWORD[:3]}\0{PASSWORD[3:]}"),
        ("nobody\nalice", PASSWORD),
        ("x" * 2000, PASSWORD),
        ("alice", "x" * 5000),
    ],
    ids=ascii,
)
def test_nobody_else(web: Server, login: str, password: str) -> None:
    """401, whatever stands there: no 500 for a client to provoke."""
    response = web.get(FILE, basic(login, password))
    assert response.status == 401
    assert not is_secret(response)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Basic")],
        [("Authorization", "Basic !!!")],
        [("Authorization", "Bearer x")],
        [("Remote-User", "alice"), ("X-Remote-User", "alice"), ("REMOTE_USER", "alice")],
        [("DEPLOYKIT_USER", "alice"), ("Deploykit-User", "alice")],
    ],
    ids=str,
)
def test_no_header_stands_for_a_password(web: Server, headers: list[tuple[str, str]]) -> None:
    """Neither names nor our own variables."""
    assert web.get(FILE, *headers).status == 401


def test_a_deactivated_user_does_not_fall_through(web: Server) -> None:
    """Of `AuthBasicProvider wsgi file` the second is asked for those Django does not know (R2)."""
    assert is_secret(web.get("/files/page/0.txt", basic("carol", "carols")))
    assert web.get("/files/page/0.txt", basic("bob")).status == 401


def test_a_group_is_a_policy(web: Server) -> None:
    """ "Require wsgi-group @staff": who knows the password and is no staff gets 403."""
    assert is_secret(web.get("/files/staff/0.txt", basic("alice")))
    assert web.get("/files/staff/0.txt", basic("zoé")).status == 403
    assert web.get("/files/staff/0.txt", basic("zoé", "wrong")).status == 401
    assert is_secret(web.get("/files/accent/0.txt", basic("zoé")))
    assert web.get("/files/accent/0.txt", basic("alice")).status == 403


def test_a_policy_of_the_script(web: Server) -> None:
    """hooks("staff") needs no group script."""
    assert is_secret(web.get("/files/policy/0.txt", basic("alice")))
    assert web.get("/files/policy/0.txt", basic("zoé")).status == 401


def test_require_user_sees_the_name(web: Server) -> None:
    """Apache's own rules work with the name as it is in the database."""
    assert is_secret(web.get("/files/user/0.txt", basic("zoé")))
    assert web.get("/files/user/0.txt", basic("alice")).status in (401, 403)


def test_a_session_or_a_password(web: Server, people: Guarded) -> None:
    """`Satisfy Any` (R6): a session of Django's, else the prompt; an unknown session is none."""
    area = "/files/session/0.txt"
    assert is_secret(web.get(area, people.cookie("alice")))
    assert is_secret(web.get(area, basic("zoé")))
    for headers in ([], [people.cookie("bob")], [("Cookie", f"sessionid={'a' * 32}")]):
        response = web.get(area, *headers)
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == 'Basic realm="Guarded"'


def test_r36_another_site_is_refused(web: Server) -> None:
    """A second site in the same interpreter would be asked about the first one's users: 500."""
    assert is_secret(web.get(FILE, basic("alice")))
    assert web.get("/files/other/0.txt", basic("alice")).status == 500
    assert "This interpreter already runs 'shop.settings'" in log(web)
    assert is_secret(web.get(FILE, basic("alice")))


def test_r25_a_listing_costs_one_hash(web: Server, people: Guarded) -> None:
    """Apache asks once more for each of 20 files; the password is hashed once."""
    people.set_password("lister", "new here")
    before = people.hashes
    asked = [("Depth", "1"), basic("lister", "new here")]
    listing = web.request("PROPFIND", "/files/basic/", asked)
    assert listing.status == 207
    assert listing.text.count("<D:href>") == FILES + 1
    assert people.hashes - before == 1


def test_r26_clients_that_come_together_cost_one_hash(web: Server, people: Guarded) -> None:
    """Sixteen threads of Apache with the same new password."""
    people.set_password("sixteen", "together")
    before = people.hashes
    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(web.get, FILE, basic("sixteen", "together")) for _ in range(16)]
        assert [one.result().status for one in asked] == [200] * 16
    assert people.hashes - before == 1


def test_a_new_password_acts_within_a_second(web: Server, people: Guarded) -> None:
    """The old one, remembered for five minutes, opens nothing then; the new one does."""
    people.set_password("changer", "before")
    assert is_secret(web.get(FILE, basic("changer", "before")))
    people.set_password("changer", "afterwards")
    deadline = time.monotonic() + 10
    while is_secret(web.get(FILE, basic("changer", "before"))):
        assert time.monotonic() < deadline
    assert is_secret(web.get(FILE, basic("changer", "afterwards")))


def test_r30_a_database_that_is_away_and_comes_back(web: Server, people: Guarded) -> None:
    """500 while it cannot be read, and files again when it can."""
    database = people.project.directory / "db.sqlite3"
    away = database.with_suffix(".away")
    assert is_secret(web.get(FILE, basic("alice")))
    database.rename(away)
    try:
        deadline = time.monotonic() + 10
        while (status := web.get(FILE, basic("alice")).status) == 200:
            assert time.monotonic() < deadline
        assert status == 500
    finally:
        database.unlink(missing_ok=True)
        away.rename(database)
    assert is_secret(web.get(FILE, basic("alice")))


def test_no_password_in_any_log(web: Server) -> None:
    """R10, with everything that was tried before; failures are there for fail2ban."""
    web.get(FILE, basic("alice", "a wrong secret"))
    text = log(web)
    assert "access denied from 127.0.0.1: wrong password (policy active, GET '/files/" in text
    for secret in (PASSWORD, "a wrong secret", "together", "afterwards"):
        assert secret not in text
