"""Bodies without a length: measured before Django sees them, and never without a limit."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any

import pytest

from django_deploykit.handlers.chunked import measured


def _ask(limit: int = 10, **environ: Any) -> tuple[list[str], bytes, dict[str, Any]]:
    """Send one request to an application that answers its own body."""
    statuses, seen = [], {}

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.update(environ)
        start_response("200 OK", [])
        return [environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))]

    response = measured(application, limit)(
        environ, lambda status, headers: statuses.append(status)
    )
    return statuses, b"".join(response), seen


def test_a_chunked_body_gets_its_length() -> None:
    """The application reads all of it, as of any other body."""
    body = {"wsgi.input": BytesIO(b"0123456789"), "wsgi.input_terminated": True}
    statuses, answer, seen = _ask(**body)
    assert (statuses, answer, seen["CONTENT_LENGTH"]) == (["200 OK"], b"0123456789", "10")


def test_a_chunked_body_over_the_limit_is_refused() -> None:
    """The application is never asked."""
    body = {"wsgi.input": BytesIO(b"0123456789x"), "wsgi.input_terminated": True}
    statuses, _, seen = _ask(**body)
    assert statuses == ["413 Content Too Large"]
    assert seen == {}


@pytest.mark.parametrize(("length", "status"), [("10", "200 OK"), ("11", "413 Content Too Large")])
def test_the_limit_holds_for_a_length_that_a_front_has_measured(length: str, status: str) -> None:
    """What was chunked for the front, and is stored there, comes with a length."""
    statuses, _, seen = _ask(CONTENT_LENGTH=length, **{"wsgi.input": BytesIO()})
    assert (statuses, bool(seen)) == ([status], status == "200 OK")


@pytest.mark.parametrize(
    "environ",
    [
        {"CONTENT_LENGTH": "3", "wsgi.input_terminated": True},
        {"CONTENT_LENGTH": "3"},
        {},
    ],
)
def test_other_bodies_are_left_alone(environ: dict[str, Any]) -> None:
    """With a length, or without a server that ends its input, nothing is read ahead."""
    source = BytesIO(b"abcdef")
    _, answer, seen = _ask(limit=3, **{"wsgi.input": source, **environ})
    assert seen["wsgi.input"] is source
    assert answer == (b"abc" if "CONTENT_LENGTH" in environ else b"")


def test_the_body_stays_open_while_the_answer_is_sent() -> None:
    """A streaming answer may still read from it; afterwards everything is closed."""
    closed = []

    class Answer:
        def __init__(self, source: Any) -> None:
            self.source = source

        def __iter__(self) -> Any:
            yield self.source.read(4)
            yield self.source.read()

        def close(self) -> None:
            closed.append(self.source.closed)

    environ = {"wsgi.input": BytesIO(b"streamed"), "wsgi.input_terminated": True}
    response = measured(lambda environ, start: Answer(environ["wsgi.input"]), 100)(
        environ, lambda status, headers: None
    )
    assert list(response) == [b"stre", b"amed"]
    assert closed == [False]
