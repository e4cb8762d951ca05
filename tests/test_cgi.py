"""CGI: a request in the environment of a process, of which a client has written a part."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.projects import ROOT

_SCRIPT = """
    from django_deploykit.handlers.cgi import answer, take_request

    request = take_request()

    import json, os, re, time

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/hang":
            time.sleep(60)
        if environ["PATH_INFO"] == "/lock":
            re.match("(a+)+b", "a" * 60)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
        kinds = (str, bool)
        seen = {key: value for key, value in environ.items() if isinstance(value, kinds)}
        start_response("200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        return [json.dumps({"environ": seen, "process": dict(os.environ), "body": body}).encode()]

    answer(application, request, seconds=2)
"""
_REQUEST = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "REQUEST_METHOD": "POST",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
}


def run(tmp_path: Path, body: bytes = b"", **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Start the script as a web server does, with nothing in its environment but the request."""
    script = tmp_path / "site.cgi"
    script.write_text(dedent(_SCRIPT))
    command = [sys.executable, str(script)]
    clean = {"PYTHONPATH": str(ROOT), **_REQUEST, **environ}
    return subprocess.run(
        command, env=clean, input=body, capture_output=True, check=False, timeout=60
    )


def seen(done: subprocess.CompletedProcess[bytes]) -> Any:
    assert done.returncode == 0, done.stderr.decode()
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"Status: 200 OK\r\n")
    assert head.count(b"Set-Cookie: ") == 2
    return json.loads(body)


def test_headers_are_no_variables_of_the_process(tmp_path: Path) -> None:
    """``Proxy: …`` would send what the application fetches to the client (CVE-2016-5385)."""
    answer = seen(run(tmp_path, HTTP_PROXY="http://evil.example", HTTP_HOST="localhost"))
    assert [name for name in answer["process"] if name.startswith("HTTP_")] == []
    assert answer["environ"]["HTTP_HOST"] == "localhost"


@pytest.mark.parametrize("name", ["PATH_INFO", "TIER", "HTTP_NAME"])
def test_every_value_is_bytes_read_as_latin_1(tmp_path: Path, name: str) -> None:
    """As PEP 3333 has it, whatever the locale; also for data that the server adds."""
    answer = seen(run(tmp_path, LC_ALL="C", **{name: "büro 日本"}))
    assert answer["environ"][name].encode("latin-1").decode() == "büro 日本"


def test_bodies_end_where_they_end(tmp_path: Path) -> None:
    """By their length; one without a length, where the server closes it."""
    assert seen(run(tmp_path, b"abcdef", CONTENT_LENGTH="3"))["body"] == "abc"
    chunked = seen(run(tmp_path, b"", HTTP_TRANSFER_ENCODING="chunked"))
    assert chunked["environ"]["wsgi.input_terminated"] is True
    assert "wsgi.input_terminated" not in seen(run(tmp_path))["environ"]


def test_it_is_one_of_many_processes(tmp_path: Path) -> None:
    """And answers once."""
    environ = seen(run(tmp_path))["environ"]
    told = [environ[f"wsgi.{name}"] for name in ("multithread", "multiprocess", "run_once")]
    assert told == [False, True, True]


def test_one_that_hangs_ends(tmp_path: Path) -> None:
    """Processes that nobody waits for would fill the machine."""
    done = run(tmp_path, PATH_INFO="/hang")
    assert done.returncode == 1
    assert b"took longer than 2 seconds" in done.stderr


def test_one_that_keeps_pythons_lock_ends(tmp_path: Path) -> None:
    """An endless regular expression lets no other thread look at the clock."""
    done = run(tmp_path, PATH_INFO="/lock")
    assert done.returncode == 1
    assert b"in application" in done.stderr
