"""What a download costs a worker does not depend on the size of the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import harness, small_projects
from tests.servers.harness import Server
from tests.servers.stacks import STACKS, Stack

SETTINGS = """
MIDDLEWARE = []
DEPLOYKIT = {{
    "SITE": {{"PROTECTED": {{"/private/": {private!r}}}}},
    "SENDFILE": {{"BACKEND": "stream"}},
}}
"""
URLS = """
from django.urls import path

from django_deploykit.sendfile import sendfile

urlpatterns = [path("send/<str:name>", lambda request, name: sendfile(request, name))]
"""
SMALL, LARGE = 2**20, 2**30
# As WSGI and as ASGI have it; neither is in front of anything that would keep the file itself.
STREAMING = [STACKS["gunicorn/http"], STACKS["apache/http/uvicorn"]]
# Less than a hundredth of the file, and more than a garbage collector lets lie.
LEEWAY = 8 * 2**20


@pytest.fixture(scope="module", params=STREAMING, ids=str)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    stack: Stack = request.param
    stack.require()
    with harness.public_directory() as directory:
        private = directory / "private"
        private.mkdir()
        for name, size in (("small", SMALL), ("large", LARGE)):
            with (private / name).open("wb") as file:
                file.truncate(size)  # Of holes, which take no room.
        settings = SETTINGS.format(private=str(private))
        project = small_projects.make(directory / "project", {"guarded": settings})
        (project.directory / "guarded" / "urls.py").write_text(URLS)
        # The first request loads code: both have to meet the process that has it.
        with harness.deployrun(project, *stack.of_one_process) as found:
            yield found


def _drained(server: Server, name: str, *headers: str) -> int:
    """How many bytes arrive, none of which is kept here."""
    lines = "".join(f"{line}\r\n" for line in headers)
    request = f"GET /send/{name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n"
    buffer, received = bytearray(2**20), 0
    with server.connect() as connection:
        connection.sendall(request.encode())
        while more := connection.recv_into(buffer):
            received += more
    return received


def _peaks(pids: set[int]) -> dict[int, int]:
    """The most memory that each process has held."""
    found = {}
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                found[pid] = int(line.split()[1]) * 1024
    return found


@pytest.mark.parametrize("header", ["Accept: */*", "Range: bytes=1-"])
def test_s21_memory_stays_flat_from_a_mebibyte_to_a_gibibyte(server: Server, header: str) -> None:
    """S21: whole or in part, under WSGI and ASGI, Python holds a few blocks of a file."""
    pids = harness.descendants(server.process.pid)
    assert _drained(server, "small", header) > SMALL - 2
    before = _peaks(pids)
    assert _drained(server, "large", header) > LARGE - 2
    grown = {pid: peak - before[pid] for pid, peak in _peaks(pids).items()}
    assert max(grown.values()) < LEEWAY
