"""What is remembered, for how long, and what it saves (R24, R26 to R28, R38)."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import caches
from django.core.management import call_command
from django.db import connection, connections

from django_deploykit.auth import hashing, state, throttle
from django_deploykit.auth.accounts import Accounts
from django_deploykit.auth.bounded import Bounded
from django_deploykit.auth.credentials import Credentials
from django_deploykit.auth.hashing import Busy
from django_deploykit.auth.options import Cache, Throttle
from django_deploykit.auth.throttle import Failures
from django_deploykit.auth.verified import Shared, Verified, digest
from django_deploykit.handlers.modwsgi import check_password, groups_for_user, hooks
from tests.auth.conftest import PASSWORD, CountedHasher, environ, hashes, user
from tests.people.models import Truthful

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


class Clock:
    """time.monotonic() and time.time(), moved by hand."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return 1000 + self.passed

    def time(self) -> float:
        return 1_700_000_000 + self.passed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made.monotonic)
    monkeypatch.setattr(time, "time", made.time)
    return made


@contextmanager
def queries(count: int) -> Iterator[None]:
    """The hooks empty the log of queries, as Django does for each request; so ask deeper down."""
    seen: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        seen.append(sql)
        return execute(sql, *args)

    with connection.execute_wrapper(note):
        yield
    assert len(seen) == count, seen


def passes(password: str = PASSWORD) -> bool:
    return check_password(environ(), "alice", password) is True


def test_a_known_password_costs_no_hash(alice: User) -> None:
    """The first time a hash is computed, and then no more."""
    assert [passes() for _ in range(5)] == [True] * 5
    assert hashes() == 1


def test_r24_one_query_if_the_row_is_read_each_time(alice: User, auth: Callable[..., None]) -> None:
    """With REVALIDATE 0: one query for the user, and one more for the groups."""
    auth(REVALIDATE=0)
    assert passes()
    hashes()
    with queries(1):
        assert passes()
    with queries(2):
        groups_for_user(environ(), "alice")
    assert hashes() == 0


def test_r24_no_query_within_the_window(alice: User, clock: Clock) -> None:
    """By default a row that was seen less than a second ago is not read again."""
    assert passes()
    assert passes()
    groups_for_user(environ(), "alice")
    clock.passed += 0.9
    with queries(0):
        assert passes()
        groups_for_user(environ(), "alice")
    clock.passed += 0.1
    with queries(1):
        assert passes()
    assert hashes() == 1


@pytest.mark.parametrize("revalidate", [0, 1])
def test_a_change_acts_within_the_window(
    alice: User, clock: Clock, auth: Callable[..., None], revalidate: float
) -> None:
    """A password, a flag, a group, a deletion: whatever the memory's lifetime is."""
    auth(REVALIDATE=revalidate, POLICIES={"editors": "group:editors"})
    group = Group.objects.create(name="editors")

    def change(**fields: Any) -> None:
        User.objects.filter(pk=alice.pk).update(**fields)
        clock.passed += revalidate

    assert passes()
    alice.groups.add(group)
    clock.passed += revalidate
    assert hooks("editors").check_password(environ(), "alice", PASSWORD) is True
    alice.groups.clear()
    clock.passed += revalidate
    assert hooks("editors").check_password(environ(), "alice", PASSWORD) is False
    change(is_active=False)
    assert not passes()
    change(is_active=True)
    assert passes()
    alice.set_password("another")
    change(password=alice.password)
    assert not passes()
    assert passes("another")
    alice.set_unusable_password()
    change(password=alice.password)
    assert not passes("another")
    User.objects.all().delete()
    clock.passed += revalidate
    assert check_password(environ(), "alice", "another") is None


def test_the_lifetime_is_counted_from_the_hash(alice: User, clock: Clock) -> None:
    """Use does not prolong it."""
    assert passes()
    for _ in range(299):
        clock.passed += 1
        assert passes()
    assert hashes() == 1
    clock.passed += 1
    assert passes()
    assert hashes() == 1


def test_r33_a_row_is_as_old_as_the_question_for_it(clock: Clock) -> None:
    """A database that answered late does not make it good for longer."""
    asked: list[object] = []

    def slow(pk: object) -> None:
        asked.append(pk)
        clock.passed += 0.9

    accounts = Accounts(9, 1)
    for count in (1, 1, 2):
        accounts.by_session("", 7, slow)
        assert len(asked) == count
        clock.passed += 0.05


def test_no_lifetime_means_no_memory(alice: User, auth: Callable[..., None]) -> None:
    """SECONDS 0 switches it off."""
    auth(CACHE={"SECONDS": 0})
    assert passes()
    assert passes()
    assert hashes() == 2


def test_the_same_key_for_somebody_else_does_not_pass(alice: User, clock: Clock) -> None:
    """A deleted user's primary key, given to another, carries nothing over."""
    assert passes()
    pk = alice.pk
    User.objects.all().delete()
    User.objects.create(pk=pk, username="alice", password="md5$other$hash")
    clock.passed += 1
    assert not passes()


def test_what_is_remembered_opens_nothing_that_its_backend_closed(
    alice: User, clock: Clock, settings: Any
) -> None:
    """Whether a user may log in at all, the backend is asked each time."""
    settings.AUTHENTICATION_BACKENDS = ["tests.people.backends.Choosy"]
    assert passes()
    assert passes()
    assert hashes() == 1
    User.objects.update(username="mallory")
    clock.passed += 1
    assert check_password(environ(), "mallory", PASSWORD) is False


def test_an_upgraded_hash_is_the_one_remembered(alice: User, settings: Any) -> None:
    """Where the first login writes a new hash, the second one knows it."""
    hasher = f"{CountedHasher.__module__}.CountedHasher"
    old = "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher"
    settings.PASSWORD_HASHERS = [old]
    alice.set_password(PASSWORD)
    alice.save()
    settings.PASSWORD_HASHERS = [hasher, old]
    assert passes()
    alice.refresh_from_db()
    assert alice.password.startswith("md5$")
    hashes()
    assert passes()
    assert hashes() == 0


@pytest.mark.parametrize(
    ("paths", "remembered"),
    [
        ([MODEL_BACKEND], True),
        (["django.contrib.auth.backends.AllowAllUsersModelBackend"], True),
        # It does not take a name and a password, so that nobody asks it.
        (["django.contrib.auth.backends.RemoteUserBackend", MODEL_BACKEND], True),
        ([MODEL_BACKEND, "tests.people.backends.Recording"], True),
        # It might have refused.
        (["tests.people.backends.Recording", MODEL_BACKEND], False),
        (["tests.people.backends.Counting"], False),
    ],
)
def test_which_backends_need_not_be_asked_again(
    alice: User, settings: Any, paths: list[str], remembered: bool
) -> None:
    """Those that do nothing but compare hashes, unless another stands before them."""
    settings.AUTHENTICATION_BACKENDS = paths
    for _ in range(2):
        assert passes()
    assert hashes() == (1 if remembered else 2)


@pytest.mark.parametrize("trusted", [False, True])
def test_a_user_model_that_looks_at_more_than_the_hash_is_asked_each_time(
    db: None,
    settings: Any,
    auth: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    trusted: bool,
) -> None:
    """Its check_password() may know of a lock; unless BACKENDS says that the project can wait."""
    settings.AUTH_USER_MODEL = "people.Truthful"
    auth(CACHE={"BACKENDS": [MODEL_BACKEND] if trusted else []})
    Truthful.objects.create_user("alice", password=PASSWORD)
    hashes()
    assert passes()
    assert passes()
    assert hashes() == (1 if trusted else 2)
    monkeypatch.setattr(Truthful, "check_password", lambda self, raw: False)
    assert passes() is trusted


def test_another_backend_is_remembered_if_it_is_named(
    alice: User, settings: Any, auth: Callable[..., None]
) -> None:
    """BACKENDS says that the project can wait for what such a backend would say now."""
    path = "tests.people.backends.Directory"
    settings.AUTHENTICATION_BACKENDS = [path]
    auth(CACHE={"BACKENDS": [path]})
    from tests.people.backends import asked

    for _ in range(3):
        assert passes("from the directory")
    assert len(asked) == 1
    assert not passes(PASSWORD)


@pytest.mark.django_db(transaction=True)
def test_r26_the_same_credentials_at_once_are_hashed_once() -> None:
    """Sixteen threads that come while the first one hashes wait for it."""
    user("alice")
    entered, release = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert release.wait(20)

    CountedHasher.wait = staticmethod(hold)
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(_closing, passes) for _ in range(16)]
        assert entered.wait(20)
        turns = state.authenticator()._turns
        while next(iter(turns._queues.values())).length < 16:
            time.sleep(0.001)
        release.set()
        assert [answer.result(20) for answer in answers] == [True] * 16
    assert hashes() == 1
    assert len(turns) == 0


def _closing(function: Callable[[], Any]) -> Any:
    try:
        return function()
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_r27_hashes_are_bounded(auth: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """CONCURRENCY at a time; who waits too long gets an error, which is not a refusal."""
    auth(CONCURRENCY=2, THROTTLE=None)
    monkeypatch.setattr(hashing, "WAIT_SECONDS", 0.05)
    user("alice")
    release, inside = threading.Event(), threading.Barrier(3)

    def hold() -> None:
        inside.wait(20)
        assert release.wait(20)

    CountedHasher.wait = staticmethod(hold)
    with ThreadPoolExecutor(3) as pool:
        hashing_now = [pool.submit(_closing, lambda p=p: passes(p)) for p in ("one", "two")]
        inside.wait(20)
        with pytest.raises(Busy):
            pool.submit(_closing, lambda: passes("three")).result(20)
        release.set()
        assert [one.result(20) for one in hashing_now] == [False, False]
    CountedHasher.wait = staticmethod(lambda: None)
    assert passes()


def test_r28_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million attempts leave no more than what was configured."""
    monkeypatch.setattr(throttle, "ENTRIES", 300)
    made = User(pk=1, username="alice", password="md5$a$b")
    verified = Verified(Cache(ENTRIES=100))
    accounts = Accounts(100, 60)
    failures = Failures(Throttle(ADDRESS_FAILURES=2_000))
    for number in range(1_000_000):
        verified._local.put(number.to_bytes(32), True, float("inf"))
    for number in range(10_000):
        verified.remember(made, MODEL_BACKEND, str(number))
        accounts._get(("login", str(number)), lambda: None)
    for number in range(2_000):
        failures.reserve("192.0.2.1", str(number))
    assert (len(verified), len(accounts)) == (100, 100)
    assert len(failures._counts) == 300
    # The counter that is used most is the last to be forgotten.
    assert failures.too_many("192.0.2.1", "anybody")


def test_r38_the_memory_outlives_the_script(alice: User) -> None:
    """mod_wsgi runs a touched script again; new hooks know what the old ones did."""
    assert hooks("active").check_password(environ(), "alice", PASSWORD) is True
    assert hooks("active").check_password(environ(), "alice", PASSWORD) is True
    assert hashes() == 1


def test_r38_a_child_process_has_its_own_memory() -> None:
    """Neither a key nor a lock that was held is shared with a forked child."""
    before = state.authenticator()
    with before._turns._lock, before._verified._local._lock:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:  # pragma: no cover
            after = state.authenticator()
            is_fresh = after is not before and after._key != before._key
            os.write(writer, b"fresh" if is_fresh else b"same")
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"fresh"
    os.close(reader)
    os.close(writer)
    assert state.authenticator() is before


def test_r38_one_authenticator_for_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that come at once do not each begin with a memory of their own."""
    started = threading.Barrier(8)

    def get() -> Any:
        started.wait(20)
        return state.authenticator()

    with ThreadPoolExecutor(8) as pool:
        assert len({id(one.result(20)) for one in [pool.submit(get) for _ in range(8)]}) == 1


def test_r38_no_lock_is_missing() -> None:
    """Threads that change places all the time, and, without the GIL, run at once, keep every bound
    and lose no count."""
    names = [f"user-{number}" for number in range(40)]
    bounded: Bounded[str, str] = Bounded(8)
    counts, failures = throttle.Counts(100, 300), 200

    def work(seed: int) -> None:
        for number in range(failures):
            name = names[(seed * 7 + number) % len(names)]
            bounded.put(name, name, time.monotonic() + 60)
            assert bounded.get(name) in (name, None)
            bounded.pop(names[number % len(names)])
            counts.add(("one",), 1)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(work, seed) for seed in range(8)]:
                done.result(60)
    finally:
        sys.setswitchinterval(before)
    assert len(bounded) <= 8
    assert counts.get([("one",)]) == {("one",): 8 * failures}


def test_what_was_given_back_was_never_counted() -> None:
    """Who knew the password leaves nothing behind, and is owed nothing once the window is over."""
    counts = throttle.Counts(100, 300)
    assert counts.is_empty
    counts.add(("one",), 1)
    assert not counts.is_empty
    counts.add(("one",), -1)
    counts.add(("two",), -1)
    assert counts.is_empty
    assert counts.add(("two",), 1) == 1


# The throttle between processes


@pytest.fixture
def table(settings: Any, db: None) -> str:
    """The name of a table in the database that processes share; Django counts in it by a read and a
    write, which begins the lifetime of an alias anew."""
    settings.CACHES = {"default": {**DATABASE_CACHE}}
    call_command("createcachetable")
    return DATABASE_CACHE["LOCATION"]


DATABASE_CACHE = {
    "BACKEND": "django.core.cache.backends.db.DatabaseCache",
    "LOCATION": "counted",
}


@pytest.mark.parametrize("timeout", [None, 0, 1, 86_400])
def test_a_count_is_kept_for_its_window(table: str, settings: Any, timeout: int | None) -> None:
    """Whatever the lifetime of other entries is: not for ever, and not for a second."""
    settings.CACHES = {"default": {**DATABASE_CACHE, "TIMEOUT": timeout}}
    counts = throttle.SharedCounts("default", 600)
    assert [counts.add(("one",), 1) for _ in range(3)] == [1, 2, 3]
    assert counts.get([("one",)]) == {("one",): 3}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT expires FROM {table}")  # noqa: S608 - a name of our own
        ((expires,),) = cursor.fetchall()
    left = datetime.fromisoformat(str(expires)).replace(tzinfo=UTC) - datetime.now(UTC)
    assert 500 < left.total_seconds() <= 601


@pytest.mark.parametrize("timeout", [None, 1])
def test_a_window_ends_by_the_clock(
    alice: User,
    table: str,
    settings: Any,
    auth: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    timeout: int | None,
) -> None:
    """For all processes at once, and for all whom they count; whoever fails does not prolong it."""
    # Moved for the throttle alone: the cache goes on by the clock on the wall.
    clock, begin = Clock(), time.time() // 60 * 60
    moved = SimpleNamespace(time=lambda: begin + clock.passed, monotonic=clock.monotonic)
    monkeypatch.setattr(throttle, "time", moved)
    settings.CACHES = {"default": {**DATABASE_CACHE, "TIMEOUT": timeout}}
    auth(THROTTLE={"FAILURES": 2, "SECONDS": 60, "SHARED": "default"})
    for number in range(2):
        passes(str(number))
        clock.passed += 20
    assert not passes()
    clock.passed += 19
    assert not passes()
    clock.passed += 1
    assert passes()


def test_what_is_given_back_late_is_nobodys(shared: Any, clock: Clock) -> None:
    """A password that was right when its window had ended earns nobody a further guess."""
    counts = throttle.SharedCounts("default", 60)
    counts.add(("one",), 1)
    clock.passed += 60
    assert counts.add(("one",), -1) == 0
    assert counts.add(("one",), 1) == 1


@pytest.mark.parametrize("alias", [None, "default"])
def test_who_was_refused_is_not_counted(shared: Any, clock: Clock, alias: str | None) -> None:
    """Thirty children that are asked at once about one right password: ten verify it, twenty say
    that there are too many; and no failure is left of it."""
    failures, who = Failures(Throttle(SHARED=alias)), ("192.0.2.1", "alice")
    reserved = [failures.reserve(*who) for _ in range(30)]
    assert reserved == [True] * 10 + [False] * 20
    for _ in range(10):
        failures.give_back(*who)
    assert not failures.too_many(*who)
    assert [failures.reserve(*who) for _ in range(11)] == [True] * 10 + [False]
    assert failures.too_many(*who)


# The shared tier


@pytest.fixture
def shared(settings: Any, auth: Callable[..., None]) -> Iterator[Any]:
    """A cache that stands for one between processes: a reset forgets all but it."""
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "shared"}}
    auth(CACHE={"SHARED": "default"})
    yield caches["default"]
    caches["default"].clear()


def test_what_another_process_verified_is_known(alice: User, shared: Any) -> None:
    """With SHARED, the next process does not hash."""
    assert passes()
    state.reset()
    assert passes()
    assert hashes() == 1


@pytest.mark.parametrize(
    "tampered",
    ["9{until}:{seal}", "{later}:{seal}", "true", "99999999999:", "-1{until}:{seal}", "", ":"],
)
def test_who_writes_the_cache_cannot_prolong_it(alice: User, shared: Any, tampered: str) -> None:
    """An entry without the seal for its own time is none."""
    assert passes()
    state.reset()
    (key,) = [name.removeprefix(":1:") for name in shared._cache]
    until, _, seal = shared.get(key).partition(":")
    shared.set(key, tampered.format(until=until, later=int(until) + 1, seal=seal))
    hashes()
    assert passes()
    assert hashes() == 1


def test_an_entry_of_one_password_is_none_of_another(alice: User, shared: Any) -> None:
    """A sealed value, copied to another key, opens nothing."""
    assert passes()
    (key,) = [name.removeprefix(":1:") for name in shared._cache]
    value = shared.get(key)
    parts = ("1", "auth.User", str(alice.pk), MODEL_BACKEND, alice.password, "guess")
    there = Shared("default")
    shared.set(there._name(digest(there._key, *parts).hex()), value)
    assert there.left(parts) == 0
    assert not passes("guess")


def test_another_secret_key_knows_nothing(alice: User, shared: Any, settings: Any) -> None:
    """Who changes SECRET_KEY begins anew."""
    assert passes()
    settings.SECRET_KEY = "another"
    assert passes()
    assert hashes() == 2


def test_a_shared_entry_ends_on_time(alice: User, shared: Any, clock: Clock) -> None:
    """The time of the process that hashed counts, not that of the one that asked first."""
    assert passes()
    clock.passed += 200
    state.reset()
    assert passes()
    hashes()
    clock.passed += 101
    assert passes()
    assert hashes() == 1


def test_r10_no_password_in_the_memory(alice: User, shared: Any) -> None:
    """Neither tier holds it, nor the hash, nor the name."""
    assert passes()
    local = repr(state.authenticator()._verified._local._values)
    stored = repr(shared._cache)
    for secret in (PASSWORD, alice.password, "alice"):
        assert secret not in local
        assert secret not in stored
    assert PASSWORD not in repr(Credentials("alice", PASSWORD))


def test_parts_do_not_run_into_each_other() -> None:
    """("ab", "c") is not ("a", "bc")."""
    assert digest(b"k", "ab", "c") != digest(b"k", "a", "bc")
    assert digest(b"k", "a", "") != digest(b"k", "", "a")
