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


@pytest.mark.parametrize("terminated", [True, False])
def test_nobody_reads_behind_the_end_of_a_body(terminated: bool) -> None:
    """What follows is not the application's, and a server might wait for it."""
    source = BytesIO(b"abcdef")
    environ = {"wsgi.input": source, "CONTENT_LENGTH": "3", "wsgi.input_terminated": terminated}
    _, answer, _ = _ask(**environ)
    assert (answer, source.read()) == (b"abc", b"def")


def test_without_a_body_nothing_is_touched() -> None:
    """Without a length, and a server that ends its input, there is none."""
    source = BytesIO(b"abcdef")
    _, answer, seen = _ask(**{"wsgi.input": source})
    assert (answer, seen["wsgi.input"], source.tell()) == (b"", source, 0)


def test_an_answer_to_no_body_is_the_application_s_own() -> None:
    """A server that knows it may send its file, and nothing is made for most requests."""
    answer = [b"found"]
    environ = {"wsgi.input": BytesIO(), "wsgi.input_terminated": True}
    assert measured(lambda environ, start: answer, 10)(environ, lambda *said: None) is answer
    assert "CONTENT_LENGTH" not in environ


class _Said(list[bytes]):
    """An answer of Django's."""

    def __init__(self, *, streaming: bool) -> None:
        super().__init__([b"refused"])
        self.streaming = streaming


class _Gone(BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise ConnectionResetError


@pytest.mark.parametrize(
    ("source", "streaming", "left"),
    [(BytesIO(b"abcdef"), False, b"f"), (BytesIO(b"abcdef"), True, b"cdef"), (_Gone(), False, b"")],
)
def test_a_body_that_nobody_reads_comes_to_its_end(
    source: BytesIO, streaming: bool, left: bytes
) -> None:
    """The front gets rid of it, and then takes the answer; a stream may still want it."""

    def refuse(environ: Any, start_response: Any) -> Iterable[bytes]:
        if not isinstance(source, _Gone):
            environ["wsgi.input"].read(2)
        return _Said(streaming=streaming)

    environ = {"wsgi.input": source, "CONTENT_LENGTH": "5"}
    response = measured(refuse, 10)(environ, lambda status, headers: None)
    assert (list(response), source.getvalue()[source.tell() :]) == ([b"refused"], left)


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
