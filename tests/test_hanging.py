"""Requests that hang in one thread of several: what becomes of their process."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from django_deploykit import contract
from django_deploykit.handlers.hanging import watched
from tests.projects import ROOT

# A process that answers each request in a thread, and says when it is to take no more.
_PROGRAM = """
import os, re, signal, sys, threading, time
from django_deploykit.handlers.hanging import watched

application = watched(lambda environ, start_response: environ["view"](), server="gunicorn")

def request(view):
    read = lambda: list(application({"view": view}, None))
    threading.Thread(target=read, daemon=True).start()

def hang():
    time.sleep(60)

signal.signal(signal.SIGTERM, lambda *_: print("leaves", flush=True))
"""


def run(text: str, limit: int = 1) -> subprocess.CompletedProcess[str]:
    """Run it to its end, with a limit in seconds."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), contract.TIMEOUT_KEY: str(limit)}
    command = [sys.executable, "-c", _PROGRAM + text]
    return subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=50, check=False
    )


def test_a_request_that_hangs_costs_its_process() -> None:
    """It ends with a traceback of what it did."""
    done = run("request(hang); time.sleep(30)")
    assert (done.returncode, done.stdout) == (1, "leaves\n")
    assert "took longer than 1 seconds" in done.stderr
    assert "in hang" in done.stderr


def test_the_others_are_answered_first() -> None:
    """A request that began before is not lost, and no new one is taken meanwhile.

    After 3 seconds it is noticed, after some 4.7 nobody would be waited for any more unless others
    ran; this one ends after 4.9, with 0.8 left until it would hang itself.
    """
    done = run(
        """
def quick():
    time.sleep(2.2)
    print("answered", flush=True)
    return []

request(hang); time.sleep(2.7); request(quick); time.sleep(30)
""",
        limit=3,
    )
    assert (done.returncode, done.stdout) == (1, "leaves\nanswered\n")


def test_it_ends_although_nobody_gives_pythons_lock_away() -> None:
    """A regular expression that never ends keeps every thread of Python from running."""
    done = run('request(lambda: re.match("(a+)+$", "a" * 64 + "b")); time.sleep(30)')
    assert (done.returncode, done.stdout) == (1, "")
    assert "Timeout" in done.stderr


def test_an_answer_that_has_begun_may_take_longer() -> None:
    """Neither a stream nor an error counts as a request that still waits."""
    done = run("""
def parts():
    for number in range(4):
        time.sleep(0.4)
        yield b""
    print("whole", flush=True)

def wrong():
    raise ValueError

threading.excepthook = lambda args: None
request(parts); request(wrong); time.sleep(2)
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "whole\n", "")


def test_a_body_that_comes_slowly_is_awaited() -> None:
    """Each piece of it is a sign of life, and only while its own request runs; one that stops
    coming is none."""
    done = run("""
class Body:
    pieces, fileno = 6, 7
    def read(self, size):
        self.pieces -= 1
        time.sleep(0.4 if self.pieces >= 0 else 60)
        return b"piece"

def upload(environ, start_response):
    body = environ["wsgi.input"]
    print(body.fileno, *{body.read(9) for _ in range(environ["pieces"])}, flush=True)
    return [body]

def send(pieces):
    environ = {"CONTENT_LENGTH": "99", "wsgi.input": Body(), "pieces": pieces}
    [body] = watched(upload, server="gunicorn")(environ, None)
    threading.Thread(target=body.read, args=(9,), daemon=True).start()

threading.Thread(target=send, args=(5,), daemon=True).start()
time.sleep(3.5)
threading.Thread(target=send, args=(9,), daemon=True).start()
time.sleep(30)
""")
    assert (done.returncode, done.stdout) == (1, "7 b'piece'\nleaves\n")


def test_a_forked_process_looks_after_itself() -> None:
    """The application was loaded before its processes were forked, as with uWSGI."""
    done = run("""
if pid := os.fork():
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
else:
    request(hang)
    time.sleep(30)
""")
    assert (done.returncode, done.stdout) == (0, "leaves\n1\n")


def test_without_a_limit_nothing_is_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread alone is the server's to limit."""
    monkeypatch.delenv(contract.TIMEOUT_KEY, raising=False)

    def application(environ: object, start_response: object) -> list[bytes]:
        return []

    assert watched(application, server="uwsgi") is application


def test_uwsgi_says_it_by_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its wheel sets variables when Python has read them."""
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(opt={contract.TIMEOUT_KEY: b"60"}))

    def application(environ: object, start_response: object) -> list[bytes]:
        return []

    assert watched(application, server="uwsgi") is not application
    assert watched(application, server="gunicorn") is application
