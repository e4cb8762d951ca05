"""nginx keeps static files open that are in demand, and no others; and forgets them soon.

Nobody else keeps an error in their place.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from django_deploykit.config.facts import Mount, StaticFiles
from django_deploykit.config.servers.nginx import installed
from django_deploykit.config.values import Address
from tests import cases
from tests.servers import emitted, harness
from tests.servers.harness import Server

# Asked for so often that nginx keeps it open.
OFTEN = 15
CHANGING = ("deleted.css", "linked.css", "replaced.css", "directory/linked.css")
OLD = (200, b"old")


@dataclass(frozen=True)
class Worker:
    """One of nginx's workers: what comes over one connection is answered by one."""

    server: Server
    connection: HTTPConnection

    def get(self, path: str) -> tuple[int, bytes]:
        headers = {"Host": "example.com", "Accept-Encoding": "gzip"}
        self.connection.request("GET", path, headers=headers)
        response = self.connection.getresponse()
        return response.status, response.read()

    def opened(self) -> set[str]:
        """The names of files that nginx has open."""
        found: set[str] = set()
        for pid in harness.descendants(self.server.process.pid):
            links = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
            found |= {Path(link).name for link in links if link.endswith((".css", ".gz"))}
        return found

    def wait(self, path: str, status: int, body: bytes = b"") -> None:
        """Ask until this is the answer; before, it is what was, and nothing else."""
        deadline = time.monotonic() + 30
        while (answer := self.get(path)) == OLD and time.monotonic() < deadline:
            time.sleep(0.05)  # nginx looks again after a second: nothing is to be had by haste.
        assert answer[0] == status
        assert body in answer[1]
        assert b"secret" not in answer[1]


@pytest.fixture
def home(public: Path, request: pytest.FixtureRequest) -> Path:
    """A site's files, and a directory that no link may lead to."""
    home = public / request.node.name
    static = [f"static/{name}" for name in (*CHANGING, "twin.css", "once.css")]
    for name in (*static, "media/upload.css"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(b"old")
    (home / "static" / "twin.css.gz").write_bytes(b"zipped")
    (home / "outside").mkdir()
    (home / "outside" / "linked.css").write_bytes(b"secret")
    return home


@pytest.fixture
def worker(home: Path) -> Iterator[Worker]:
    """One that has sent nearly every file often."""
    harness.require("nginx", installed.binary())
    static = Mount(url="/static/", directory=home / "static", setting="STATIC_ROOT")
    site = cases.site(
        root=str(home),
        static=StaticFiles(mounts=(static,), twins=("gz",)),
        media=Mount(url="/media/", directory=home / "media", setting="MEDIA_ROOT"),
    )
    with contextlib.ExitStack() as ending:
        server = ending.enter_context(emitted.front("nginx", "http", site, Address("127.0.0.1", 9)))
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        ending.callback(connection.close)
        worker = Worker(server, connection)
        for name in (*CHANGING, "twin.css", "none.css") * OFTEN:
            worker.get(f"/static/{name}")
        for _ in range(OFTEN):
            worker.get("/media/upload.css")
        worker.get("/static/once.css")
        yield worker


def test_what_is_in_demand_stays_open(worker: Worker) -> None:
    """Static files alone, and their twins; never an upload, nor what was asked for once."""
    assert worker.opened() == {Path(name).name for name in CHANGING} | {"twin.css.gz"}


def test_a_change_is_seen(home: Path, worker: Worker) -> None:
    """A file that is open is soon sent as it is now, or no longer; a new one at once."""
    static = home / "static"
    assert worker.get("/static/none.css")[0] == 404
    (static / "none.css").write_bytes(b"new")
    assert worker.get("/static/none.css") == (200, b"new")
    (static / "deleted.css").unlink()
    (static / "new").write_bytes(b"new content")
    (static / "new").replace(static / "replaced.css")
    worker.wait("/static/deleted.css", 404)
    worker.wait("/static/replaced.css", 200, b"new content")


def test_no_link_takes_the_place_of_an_open_file(home: Path, worker: Worker) -> None:
    """Neither as the file nor as a directory on the way to it."""
    static = home / "static"
    (static / "new").symlink_to(home / "outside" / "linked.css")
    (static / "new").replace(static / "linked.css")
    (static / "directory").rename(home / "moved")
    (static / "directory").symlink_to(home / "outside")
    worker.wait("/static/linked.css", 403)
    worker.wait("/static/directory/linked.css", 404)


@pytest.mark.parametrize("lookup", ["url", "file"])
def test_no_dot_file_is_sent(home: Path, lookup: str) -> None:
    """Whatever the directories above it are called."""
    harness.require("nginx", installed.binary())
    for directory in ("static/a\nb", "a\nb"):
        (home / directory).mkdir()
        for name in (".env", "plain"):
            (home / directory / name).write_bytes(b"found")
    static = Mount(url="/static/", directory=home / "static", setting="STATIC_ROOT")
    site = cases.site(root="/srv/code", static=StaticFiles(mounts=(static,)))
    away = Address("127.0.0.1", 9)
    with emitted.front("nginx", "http", site, away, static_lookup=lookup) as server:
        found = {
            url: server.get(url, ("Host", "example.com")).status
            for url in ("/static/a%0Ab/plain", "/static/a%0Ab/.env", "/a%0Ab/plain", "/a%0Ab/.env")
        }
    # 502 is Django's turn, which is away.
    assert list(found.values()) == [200, 404, 200 if lookup == "file" else 502, 502]


def test_no_error_is_kept_in_place_of_a_file(home: Path) -> None:
    """A shared cache may keep a 416 for as long as it says: one client could make the file vanish
    for all others."""
    harness.require("nginx", installed.binary())
    name = "site.0123456789ab.css"
    (home / "static" / name).write_bytes(b"new")
    static = Mount(url="/static/", directory=home / "static", setting="STATIC_ROOT")
    site = cases.site(root=str(home), static=StaticFiles(mounts=(static,), hashed=True))
    with emitted.front("nginx", "http", site, Address("127.0.0.1", 9)) as server:
        host = ("Host", "example.com")
        found = server.get(f"/static/{name}", host)
        beyond = server.get(f"/static/{name}", host, ("Range", "bytes=100-"))
    assert found.status == 200
    assert found.headers.get_all("Cache-Control") == ["public, max-age=31536000, immutable"]
    assert beyond.status == 416
    assert "no-store" in beyond.headers.get_all("Cache-Control", [])
