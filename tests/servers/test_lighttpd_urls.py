"""lighttpd: what of a URL reaches the application, and what is refused (docs/reference/paths)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from django_deploykit.config.values import Address
from tests import cases
from tests.servers import backends, emitted, harness
from tests.servers.backends import Backend
from tests.servers.harness import Server

HOST = [("Host", "example.com")]


@pytest.fixture(scope="module", params=["http", "scgi"])
def front(request: pytest.FixtureRequest) -> Iterator[tuple[Server, Backend]]:
    """One site behind lighttpd, and what its application gets."""
    harness.require_lighttpd()
    with backends.listening(request.param) as backend:
        where = Address("127.0.0.1", backend.port)
        with emitted.front("lighttpd", request.param, cases.site(), where) as server:
            yield server, backend


@pytest.mark.parametrize(
    ("query", "arrives"),
    [
        ("a=b+c%20d&e;f=/x//y/../z?g", "a=b+c%20d&e;f=/x//y/../z?g"),
        ("a=%26%3D%2B%2F%3F%23%2525", "a=%26%3D%2B%2F%3F%23%2525"),
        ("a=%2f%c3%bc%41%2e", "a=%2F%C3%BCA."),
        ("a=%zz", "a=%25zz"),
    ],
)
def test_a_query_means_what_it_meant(
    front: tuple[Server, Backend], query: str, arrives: str
) -> None:
    """It may be spelled anew, so that each of its bytes is still the same."""
    server, backend = front
    assert server.request("GET", f"/page?{query}", HOST).status == 200
    found = backend.last.parameters.get("QUERY_STRING", backend.last.line)
    assert found in (arrives, f"GET /page?{arrives} HTTP/1.1")


@pytest.mark.parametrize(
    "target",
    ["/a%0Ab", "/a%00", "/a%7f", "/a%FF", "/?a=b%0D%0Ac", "/?a=b%09c", "/?a=%00", "/?a=%FF"],
)
def test_what_is_no_text_is_refused(front: tuple[Server, Backend], target: str) -> None:
    """In a path, where conditions would see something else than Django, and in a query too."""
    server, backend = front
    before = len(backend.requests)
    assert server.request("GET", target, HOST).status == 400
    assert len(backend.requests) == before
