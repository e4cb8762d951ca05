"""lighttpd compresses a static file once."""

from __future__ import annotations

from pathlib import Path

import pytest

from django_deploykit.config.values import Address
from tests import cases
from tests.servers import emitted, harness


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_compressed_file_is_kept(public: Path, coding: str) -> None:
    """A Vary of ours must not make it a page that differs each time (mod_deflate)."""
    harness.require_lighttpd()
    home = public / f"kept-{coding}"
    (home / "static").mkdir(parents=True)
    (home / "static" / "a.css").write_text("a{color:red}" * 100)
    nowhere, request = Address("127.0.0.1", 9), [("Host", "example.com")]
    with emitted.front("lighttpd", "http", cases.site(root=str(home)), nowhere) as server:
        plain = server.request("GET", "/static/a.css", request)
        request.append(("Accept-Encoding", coding))
        once, again = (server.request("GET", "/static/a.css", request) for _ in range(2))
        # What Popen was given: lighttpd -f DIRECTORY/lighttpd.conf -D.
        directory = Path(str(server.process.args[2])).parent  # type: ignore[index]
        (kept,) = directory.glob("run/**/a.css-*")
        assert kept.read_bytes() == once.body == again.body != plain.body
    for answer in (plain, once, again):
        assert answer.headers.get_all("Vary") == ["Accept-Encoding"]
    assert [one.headers["Content-Encoding"] for one in (plain, again)] == [None, coding]
