"""What is answered: the hand-off, the headers, conditions and ranges (S9 to S21)."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import re
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIHandler
from django.test import AsyncClient, Client, RequestFactory
from hypothesis import example, given
from hypothesis import strategies as st
from rest_framework.request import Request

from django_deploykit import contract
from django_deploykit.sendfile import asendfile, file_served, headers, sendfile
from django_deploykit.sendfile.backends import BACKENDS
from django_deploykit.sendfile.middleware import SendfileMiddleware
from django_deploykit.sendfile.ranges import requested
from django_deploykit.sendfile.roots import Place, Root
from tests.sendfile.asking import body, get, handed, parts, saved_name
from tests.sendfile.conftest import CONTENT
from tests.sendfile.site import FIRST, Remote, closed

SIZE = len(CONTENT)
GZIP = "django.middleware.gzip.GZipMiddleware"
CONDITIONAL = "django.middleware.http.ConditionalGetMiddleware"
CHANGES = "tests.sendfile.site.Changes"
VALUES = {
    "nginx/http": "/private/report.txt",
    "lighttpd/http": "{private}/report.txt",
    "apache/scgi": "{private}/report.txt",
}


def test_s10_the_hand_off_is_an_empty_200(private: Path, stack: str, client: Client) -> None:
    """S10: status 200, no body, and no length but 0, which would make a server wait."""
    answer = get(client, "report.txt")
    assert answer.status_code == 200
    if not stack:
        assert (body(answer), answer["Content-Length"]) == (CONTENT, str(SIZE))
        return
    assert handed(answer) == VALUES[stack].format(private=private)
    assert (body(answer), answer["Content-Length"]) == (b"", "0")
    assert "Accept-Ranges" not in answer
    assert "Content-Encoding" not in answer


def test_s10_nobody_adds_to_an_empty_body(
    private: Path, stack: str, client: Client, settings: Any
) -> None:
    """S10: middleware that stands above, against the check, finds nothing to compress."""
    settings.MIDDLEWARE = [GZIP, FIRST]
    answer = get(client, "report.txt", Accept_Encoding="gzip")
    assert (answer.streaming, "Content-Encoding" in answer) == (not stack, not stack)
    assert stack == "" or (answer.content, answer["Content-Length"]) == (b"", "0")


@pytest.mark.parametrize("status", [206, 304, 403, 404, 412, 416, 500])
def test_s11_no_other_status_hands_a_file_over(
    private: Path, stack: str, client: Client, settings: Any, status: int
) -> None:
    """S11: nginx would make a 200 of it; so a status changed by a view, or later, counts."""
    assert handed(get(client, "report.txt", status=str(status))) is None
    settings.MIDDLEWARE = [FIRST, CHANGES]
    answer = get(client, "report.txt", X_Change_Status=str(status))
    assert (answer.status_code, handed(answer)) == (status, None)


def test_s11_another_body_is_sent_as_it_is(
    private: Path, stack: str, client: Client, settings: Any
) -> None:
    """S11: where middleware puts another body in, nobody sends the file instead, nor a part."""
    settings.MIDDLEWARE = [FIRST, CHANGES]
    answer = get(client, "report.txt", X_Change_Body="yes", Range="bytes=0-1")
    assert (answer.status_code, body(answer), handed(answer)) == (200, b"changed", None)


def test_s11_conditions_and_refused_ranges(private: Path, stack: str, client: Client) -> None:
    """S11: 304, 412 and 416 say nothing of where the file is, and are for no cache."""
    etag = get(client, "report.txt")["ETag"]
    for status, asked in (
        (304, {"If_None_Match": etag}),
        (412, {"If_Match": '"other"'}),
    ):
        answer = get(client, "report.txt", **asked)
        assert (answer.status_code, handed(answer), body(answer)) == (status, None, b"")
        assert answer["Cache-Control"] == "private, no-store"
    answer = get(client, "report.txt", Range=f"bytes={SIZE}-")
    assert (answer.status_code, answer["Content-Range"]) == (416, f"bytes */{SIZE}")
    assert (answer["Cache-Control"], handed(answer)) == ("private, no-store", None)


def test_without_the_middleware_python_sends(
    private: Path, stack: str, client: Client, settings: Any
) -> None:
    """Where nothing decides last, nothing is handed over, and ranges work all the same."""
    settings.MIDDLEWARE = []
    answer = get(client, "report.txt", Range="bytes=0-4")
    assert (answer.status_code, body(answer), handed(answer)) == (206, CONTENT[:5], None)
    assert get(client, "report.txt", If_None_Match=answer["ETag"]).status_code == 304


def test_a_server_that_remembers_is_not_asked_for_a_new_file(
    private: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """lighttpd would send the old bytes, with the ETag of the new ones."""
    monkeypatch.setenv("DEPLOYKIT_STACK", "lighttpd/http")
    _replace(private / "report.txt")
    answer = get(client, "report.txt")
    assert (handed(answer), body(answer)) == (None, CONTENT[::-1])


NAMES = [
    'quo"te.txt',
    "back\\slash.txt",
    "semi;colon=.txt",
    "per%22cent%.txt",
    "a?b#c&d.txt",
    "Übergrößenträger.txt",
    "日本語.txt",
    "right\u202etxt.exe",
    "\u200fmark.txt",
    "x" * 300,
    " blanks ",
    "'single'",
    "utf-8''x",
]


@given(st.binary() | st.text().map(str.encode))
def test_s7_a_name_is_encoded_as_everybody_does(name: bytes) -> None:
    """S7: byte by byte, as the standard library does; lighttpd is told no controls, and UTF-8."""
    place = Place(Root("/srv/a b%", "/p/"), os.fsdecode(b"\xc3\xa9/" + name))
    assert BACKENDS["nginx"].spell(place) == f"/p/%C3%A9/{quote(name)}"
    is_speakable = not re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", place.path)
    path = f"/srv/a%20b%25/%C3%A9/{quote(name)}" if is_speakable else None
    for backend in ("lighttpd", "mod_xsendfile-1.0"):
        assert BACKENDS[backend].spell(place) == path


@given(st.binary() | st.text().map(str.encode))
@example(b"blank at the end ")
@example(b"line\nend")
@example(b"\x7f")
def test_s7_a_name_that_is_not_encoded_is_told_as_it_is(name: bytes) -> None:
    """S7: byte by byte; none that a header would lose, or that would end it."""
    place = Place(Root("/srv"), os.fsdecode(name))
    is_lost = re.search(rb"[\x00-\x1f\x7f]", name) or place.path != place.path.strip()
    told = None if is_lost else (b"/srv/" + name).decode("latin-1")
    assert BACKENDS["mod_xsendfile-0.12"].spell(place) == told


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("attachment", [True, False])
def test_s9_names_come_back_exactly(name: str, attachment: bool) -> None:
    """S9: whoever reads RFC 6266 finds the very name, in one parameter."""
    assert saved_name(headers.disposition(attachment, name)) == name


@given(st.text(min_size=1))
@example("a/b\x00\x85\u2028.txt")  # Chance may find none of them.
def test_s9_any_text_is_one_name(name: str) -> None:
    """S9: controls and slashes become '_'; everything else comes back."""
    unsafe = {*map(chr, range(32)), *map(chr, range(127, 160)), "/", "\u2028", "\u2029"}
    wanted = "".join("_" if letter in unsafe else letter for letter in name)
    assert saved_name(headers.disposition(True, name)) == wanted


def test_s9_names_of_bytes(private: Path, client: Client) -> None:
    """S9: a name that is no UTF-8 is sent, with marks where nobody can read it."""
    with open(os.fsencode(private) + b"/caf\xe9.txt", "wb") as file:
        file.write(b"coffee")
    answer: Any = sendfile(RequestFactory().get("/"), os.fsencode(private) + b"/caf\xe9.txt")
    assert body(answer) == b"coffee"
    answer.close()
    assert saved_name(answer["Content-Disposition"]) == "caf\ufffd.txt"


@pytest.mark.parametrize("user_agent", ["", "Mozilla/4.0 (MSIE 6.0)", "AppleWebKit/5"])
def test_s9_every_browser_gets_the_same(private: Path, client: Client, user_agent: str) -> None:
    """S9: no branch on the name of a browser."""
    answer = get(client, "report.txt", attachment_filename="ü;.txt", User_Agent=user_agent)
    assert answer["Content-Disposition"] == "attachment; filename*=utf-8''%C3%BC%3B.txt"


def test_s13_attachment_unless_harmless(private: Path, stack: str, client: Client) -> None:
    """S13: a browser shows what runs nothing, and only if a view asks for it."""
    kinds = {
        "a.png": True,
        "a.txt": True,
        "a.mp4": True,
        "a.svg": False,
        "a.html": False,
        "a.HTM": False,
        "a.xhtml": False,
        "a.xml": False,
        "a.js": False,
        "a.css": False,
        "a.pdf": False,
        "a.unknown": False,
        "a": False,
        "data:text,a.png": True,
        "data:text/html,x": False,
    }
    for name, shown in kinds.items():
        if "/" not in name:
            (private / name).write_bytes(b"x")
            assert get(client, name)["Content-Disposition"].startswith("attachment")
            found = get(client, name, inline="1")["Content-Disposition"]
            assert found.startswith("inline" if shown else "attachment"), name


def test_s13_no_word_of_settings_shows_what_runs(private: Path, settings: Any) -> None:
    """S13: settings add types such as PDF, but none that runs in the site's name."""
    for kind in ("image/svg+xml", "text/html; charset=utf-8", "application/xhtml+xml", "text/XML"):
        assert not headers.may_be_shown(kind, [kind, kind.partition(";")[0]])
    assert headers.may_be_shown("application/pdf", ["application/pdf"])


def test_s14_no_browser_guesses_or_runs(private: Path, stack: str, client: Client) -> None:
    """S14: every answer with the file says nosniff, and what a browser may do with it."""
    for asked in ({}, {"Range": "bytes=0-1"}, {"inline": "1"}):
        answer = get(client, "report.txt", **asked)
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.tar.gz", "application/gzip"),
        ("a.gz", "application/gzip"),
        ("a.txt.br", "application/x-brotli"),
        ("a.tar.xz", "application/x-xz"),
        ("a.bz2", "application/x-bzip"),
    ],
)
def test_s15_packed_files_stay_packed(
    private: Path, stack: str, client: Client, name: str, kind: str
) -> None:
    """S15: a browser that is told of a coding would unpack the file."""
    (private / name).write_bytes(b"packed")
    answer = get(client, name, Accept_Encoding="gzip, br")
    assert answer["Content-Type"] == kind
    assert "Content-Encoding" not in answer


def test_a_view_may_say_that_a_file_is_compressed(
    private: Path, stack: str, client: Client
) -> None:
    """Servers drop the coding, so that Python sends such a file, whole."""
    answer = get(client, "report.txt", encoding="gzip", Range="bytes=0-1")
    assert (answer["Content-Encoding"], handed(answer)) == ("gzip", None)
    assert body(answer) == CONTENT


def test_s16_for_no_cache(private: Path, stack: str, client: Client) -> None:
    """S16: unless a view says so, no cache keeps the file."""
    assert get(client, "report.txt")["Cache-Control"] == "private, no-store"


def test_s17_permission_comes_before_conditions(private: Path, stack: str, client: Client) -> None:
    """S17: a right validator in the wrong hands is worth nothing, and a name tells nothing."""
    etag = get(client, "report.txt")["ETag"]
    for name in ("report.txt", "missing.txt"):
        answer = get(client, name, "/guarded/", If_None_Match=etag)
        assert (answer.status_code, answer.content) == (403, b"no")


def _replace(path: Path) -> None:
    """Put another file of the same size in its place, within the same tick of the clock."""
    status = path.stat()
    other = path.with_name("other")
    other.write_bytes(CONTENT[::-1])
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


def test_s18_a_replaced_file_is_another(private: Path, stack: str, client: Client) -> None:
    """S18: of the same size and time: no 304, and no part of it for whoever has the old one."""
    etag = get(client, "report.txt")["ETag"]
    _replace(private / "report.txt")
    assert get(client, "report.txt", If_None_Match=etag).status_code == 200
    if not stack:
        answer = get(client, "report.txt", If_Range=etag, Range="bytes=0-4")
        assert (answer.status_code, body(answer)) == (200, CONTENT[::-1])


def _changed(change: Callable[[Any], Any], **asked: str) -> Any:
    """The answer to a request, after a view changed its response."""

    def view(request: Any) -> Any:
        response = sendfile(request, "report.txt")
        change(response)
        return response

    answer: Any = SendfileMiddleware(view)(RequestFactory().get("/", **asked))
    answer.close()
    return answer


def _say(etag: str, response: Any) -> None:
    response["ETag"] = etag


def test_s18_a_weak_etag_of_a_view_is_no_condition_for_a_part(private: Path) -> None:
    """Two files may have it, and the parts of two would make a third (RFC 9110 13.1.5)."""
    for etag, status in (('"x"', 206), ('W/"x"', 200)):
        asked = {"HTTP_IF_RANGE": etag, "HTTP_RANGE": "bytes=0-4"}
        answer = _changed(partial(_say, etag), **asked)
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"HTTP_IF_NONE_MATCH": "*"}, 304),
        ({"HTTP_IF_MATCH": '"x"'}, 412),
        ({"HTTP_RANGE": "bytes=99999-"}, 416),
    ],
    ids=str,
)
def test_s19_an_answer_without_the_file_keeps_its_cookies(
    private: Path, asked: dict[str, str], status: int
) -> None:
    """Which a session, for one, has set."""
    answer = _changed(lambda found: found.set_cookie("seen", "yes"), **asked)
    assert (answer.status_code, answer.cookies["seen"].value) == (status, "yes")


def test_s18_if_range(private: Path, client: Client) -> None:
    """S18: a part only for whoever has this file: a strong ETag, or its very date."""
    found = get(client, "report.txt")
    weak = f"W/{found['ETag']}"
    for condition, status in (
        (found["ETag"], 206),
        (found["Last-Modified"], 206),
        (weak, 200),
        ("Thu, 01 Jan 2099 00:00:00 GMT", 200),
        ("nonsense", 200),
    ):
        answer = get(client, "report.txt", If_Range=condition, Range="bytes=0-4")
        assert answer.status_code == status, condition


@pytest.mark.parametrize(
    ("asked", "status"), [({"If_None_Match": "*"}, 304), ({"Range": "bytes=99999999-"}, 416)]
)
def test_an_answer_without_the_file_takes_over_what_middleware_did(
    private: Path, client: Client, settings: Any, asked: dict[str, str], status: int
) -> None:
    """The cookies that it set, and what it left to do when the response is sent."""
    settings.MIDDLEWARE = [FIRST, "tests.sendfile.site.Changes"]
    closed.clear()
    answer = get(client, "report.txt", X_Add="Set-Cookie", X_Closed="yes", **asked)
    assert (answer.status_code, answer.cookies["seen"].value) == (status, "yes")
    assert closed == ["yes"]


def test_s19_validators(private: Path, stack: str, client: Client) -> None:
    """S19: two files differ; lists, weak ones and dates are understood."""
    (private / "other.txt").write_bytes(CONTENT)
    found = get(client, "report.txt")
    etag, date = found["ETag"], found["Last-Modified"]
    assert get(client, "other.txt")["ETag"] != etag
    for asked, status in (
        ({"If_None_Match": f'"a", W/{etag}, "b"'}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"a"', "If_Modified_Since": date}, 200),
        ({"If_Modified_Since": date}, 304),
        ({"If_Modified_Since": "Tue, 01 Jan 1980 00:00:00 GMT"}, 200),
        ({"If_Match": etag}, 200),
        ({"If_Unmodified_Since": "Tue, 01 Jan 1980 00:00:00 GMT"}, 412),
    ):
        assert get(client, "report.txt", **asked).status_code == status, asked


def test_s19_head_is_get_without_its_body(private: Path, stack: str, client: Client) -> None:
    """S19: the same headers, and nothing below them."""
    got = get(client, "report.txt")
    head = client.head("/send/", {"name": "report.txt"})
    assert dict(head.items()) == dict(got.items())
    assert body(head) == b""


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("other", [GZIP, CONDITIONAL])
def test_s19_other_middleware_changes_nothing(
    private: Path, stack: str, client: Client, settings: Any, other: str, before: bool
) -> None:
    """S19: neither compression nor conditions of others spoil the file, its ETag or a part."""
    plain = get(client, "report.txt")
    settings.MIDDLEWARE = [other, FIRST] if before else [FIRST, other]
    answer = get(client, "report.txt", Accept_Encoding="gzip")
    if other == GZIP and before and not stack:
        # The middleware is not the first, which the checks complain of: a whole file may be
        # compressed, for another ETag.
        assert answer["ETag"] == f"W/{plain['ETag']}"
    else:
        assert (handed(answer), answer["ETag"]) == (handed(plain), plain["ETag"])
        assert "Content-Encoding" not in answer
    assert get(client, "report.txt", If_None_Match=plain["ETag"]).status_code == 304


def test_s19_a_part_is_never_compressed(private: Path, client: Client, settings: Any) -> None:
    """S19: nor without the middleware that decides last."""
    for chain in ([FIRST, GZIP], [GZIP]):
        settings.MIDDLEWARE = chain
        answer = get(client, "report.txt", Accept_Encoding="gzip", Range="bytes=0-999")
        assert (answer.status_code, body(answer)) == (206, CONTENT[:1000])


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes=0-0", [(0, 0)]),
        ("bytes=9-", [(9, 9)]),
        ("bytes=-1", [(9, 9)]),
        ("bytes=-99", [(0, 9)]),
        ("bytes=5-99", [(5, 9)]),
        ("Bytes = 1-2", [(1, 2)]),
        ("bytes=0-1, 8-9", [(0, 1), (8, 9)]),
        ("bytes=8-9,0-1", [(0, 1), (8, 9)]),
        ("bytes=0-5,3-7,8-8", [(0, 8)]),
        ("bytes=0-1,,3-4,", [(0, 1), (3, 4)]),
        ("bytes=1-2,99-", [(1, 2)]),
        ("bytes=10-", []),
        ("bytes=-0", []),
        (f"bytes={'9' * 5000}-", []),
        (f"bytes=0-{'9' * 5000}", [(0, 9)]),
        ("bytes=" + ",".join(["0-0"] * 16), [(0, 0)]),
        ("bytes=" + ",".join(["0-0"] * 17), None),
        ("bytes=2-1", None),
        ("bytes=99-98", None),
        ("bytes=a-b", None),
        ("bytes=1-2,x", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes", None),
        ("seconds=1-2", None),
        ("bytes=\u0661-\u0662", None),
    ],
)
def test_s20_ranges_of_ten_bytes(header: str, found: list[tuple[int, int]] | None) -> None:
    """S20: what a client asks for, in order and each byte once; nonsense asks for everything."""
    assert requested(header, 10) == found


def test_s20_an_empty_file_has_no_part() -> None:
    """S20: no range lies in it."""
    for header in ("bytes=0-0", "bytes=-1", "bytes=0-"):
        assert requested(header, 0) == []


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=16))
def test_s20_never_more_than_the_file(pairs: list[tuple[int, int]]) -> None:
    """S20: parts are apart from one another, in the file, and cover exactly what was asked."""
    header = "bytes=" + ",".join(f"{min(pair)}-{max(pair)}" for pair in pairs)
    asked = {byte for pair in pairs for byte in range(min(pair), max(pair) + 1) if byte < 50}
    found = requested(header, 50)
    assert found is not None
    sent = [byte for first, last in found for byte in range(first, last + 1)]
    assert sent == sorted(asked)


def test_s20_parts_on_the_wire(private: Path, client: Client) -> None:
    """S20: one part is itself, several are multipart/byteranges of the length that is said."""
    one = get(client, "report.txt", Range="bytes=7-13")
    assert (one.status_code, body(one)) == (206, CONTENT[7:14])
    assert (one["Content-Range"], one["Content-Length"]) == (f"bytes 7-13/{SIZE}", "7")
    several = get(client, "report.txt", Range="bytes=0-6,-7")
    assert several.status_code == 206
    assert "Content-Range" not in several
    again = get(client, "report.txt", Range="bytes=0-6,-7")
    assert len(body(again)) == int(several["Content-Length"])
    assert parts(several) == [
        (f"bytes 0-6/{SIZE}", CONTENT[:7]),
        (f"bytes {SIZE - 7}-{SIZE - 1}/{SIZE}", CONTENT[-7:]),
    ]


def test_ranges_are_for_get(private: Path, client: Client) -> None:
    """RFC 9110 14.2: no other method has them."""
    answer = client.head("/send/", {"name": "report.txt"}, headers={"Range": "bytes=0-1"})
    assert (answer.status_code, answer["Content-Length"]) == (200, str(SIZE))


def test_s21_parts_do_not_go_through_the_file_wrapper(private: Path, settings: Any) -> None:
    """S21: some servers send all of a wrapped file; so only a whole one is wrapped."""
    wrapped = []

    def wrapper(file: Any, size: int) -> list[bytes]:
        wrapped.append(file)
        return [file.read()]

    application = WSGIHandler()
    for asked, times in (({}, 1), ({"HTTP_RANGE": "bytes=1-2"}, 0), ({"method": "HEAD"}, 0)):
        environ = RequestFactory().get("/send/", {"name": "report.txt"}).environ
        environ |= {"wsgi.file_wrapper": wrapper, "REQUEST_METHOD": asked.pop("method", "GET")}
        found = application({**environ, **asked}, lambda *args: None)
        content = b"".join(found)
        assert len(wrapped) == times
        if wrapped:
            assert content == CONTENT
            wrapped.pop().close()
        else:
            assert content in (b"", CONTENT[1:3])
            found.close()


def test_s11_another_body_is_not_the_wrapped_file(private: Path) -> None:
    """S11: without the last step's middleware, what another one puts in its place is sent."""
    response: Any = sendfile(RequestFactory().get("/"), "report.txt")
    assert response.file_to_stream is not None
    response.streaming_content = [b"changed"]
    assert (response.file_to_stream, b"".join(response)) == (None, b"changed")
    response.close()


@pytest.fixture
def large(private: Path) -> Path:
    """A file of which nobody wants two copies in memory."""
    path = private / "large.bin"
    with path.open("wb") as file:
        file.truncate(64 * 1024**2)
    return path


def _asgi_request(**found: str) -> ASGIRequest:
    pairs = [(key.encode(), value.encode()) for key, value in found.items()]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": pairs}
    return ASGIRequest(scope, None)


@pytest.mark.parametrize("wrap", [lambda request: request, Request], ids=["django", "rest"])
@pytest.mark.parametrize("asked", [{}, {"range": "bytes=1-"}, {"range": "bytes=0-9,20-"}])
def test_s21_memory_is_bounded_under_asgi(
    private: Path, large: Path, asked: dict[str, str], wrap: Callable[[Any], Any]
) -> None:
    """S21: a file is read in blocks, whatever part of it is asked for, and is no list first; nor
    does Django REST framework make one of it, which has a request of its own."""

    async def read() -> int:
        answer: Any = await asendfile(wrap(_asgi_request(**asked)), str(large))
        tracemalloc.start()
        length = 0
        async for block in answer:
            length += len(block)
        answer.close()
        assert length == int(answer["Content-Length"])
        return tracemalloc.get_traced_memory()[1]

    peak = asyncio.run(read())
    tracemalloc.stop()
    assert peak < 4 * 1024**2


@pytest.mark.parametrize("wrap", [lambda request: request, Request], ids=["django", "rest"])
@pytest.mark.parametrize("asked", [{}, {"HTTP_RANGE": "bytes=1-"}])
def test_s21_memory_is_bounded_under_wsgi(
    private: Path, large: Path, asked: dict[str, Any], wrap: Callable[[Any], Any]
) -> None:
    """S21: nor under WSGI."""
    answer: Any = sendfile(wrap(RequestFactory().get("/", **asked)), str(large))
    tracemalloc.start()
    length = sum(map(len, answer))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    answer.close()
    assert length == int(answer["Content-Length"])
    assert peak < 4 * 1024**2


@pytest.mark.parametrize("url", ["/send/", "/async/"])
def test_the_same_from_either_kind_of_view(private: Path, stack: str, url: str) -> None:
    """Under ASGI, from both kinds of view, the answers are those of WSGI."""

    async def ask() -> tuple[Any, bytes]:
        asked = {"headers": {"Range": "bytes=0-4"}}
        answer: Any = await AsyncClient().get(url, {"name": "report.txt"}, **asked)
        if not answer.streaming:
            return answer, answer.content
        content = b"".join([block async for block in answer.streaming_content])
        answer.close()
        return answer, content

    answer, content = asyncio.run(ask())
    if stack in ("", "apache/scgi"):  # mod_proxy_scgi sends whole files alone.
        assert (answer.status_code, content) == (206, CONTENT[:5])
    else:
        assert (answer.status_code, content) == (200, b"")
        assert handed(answer)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_is_told_of_once_it_is_asked_for(
    private: Path, stack: str, client: Client, method: str
) -> None:
    """``file_served`` is of a GET, whoever sends: who asks for the headers has not got the file."""
    told: list[str] = []

    def note(backend: str, **found: Any) -> None:
        told.append(backend)

    file_served.connect(note)
    try:
        client.generic(method, "/send/?name=report.txt")
    finally:
        file_served.disconnect(note)
    assert len(told) == (method == "GET")


@pytest.mark.parametrize(
    ("says", "fetched"),
    [
        ("https://files.example/bucket/a?sig=1", True),
        # What would end nginx's request line for the store, or be none of its words.
        ("https://files.example/bucket/a HTTP/1.1?sig=1", False),
        ("https://files.example/bucket/ä?sig=1", False),
        ("https://elsewhere.example/a", False),
        ("//[", False),
        ("https://files.example/ü?sig=1", False),  # No header carries it as it is.
        (f"https://files.example/{'a' * 8192}", False),
        (NotImplementedError("no url() here"), False),
        (ValueError("not accessible via a URL"), False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_s23_what_has_no_url_in_a_store_is_read_by_python(
    private: Path,
    client: Client,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    says: Any,
    fetched: bool,
) -> None:
    """S23: beside stores there may be a storage of another kind, which knows no URL at all."""
    monkeypatch.setenv(contract.STACK_KEY, "nginx/http")
    monkeypatch.setattr(Remote, "says", says)
    settings.DEPLOYKIT = {**settings.DEPLOYKIT, "SENDFILE": {"STORES": ["https://files.example"]}}
    answer = client.get("/remote/")
    assert answer.status_code == 200
    assert (handed(answer) is not None) is fetched
    assert body(answer) == (b"" if fetched else b"far away")


def test_s23_what_a_storage_unpacks_is_read_by_python(
    private: Path, client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S23: nginx would send the packed bytes, as a file of another name and type."""
    monkeypatch.setenv(contract.STACK_KEY, "nginx/http")
    monkeypatch.setattr(Remote, "says", "https://files.example/a?sig=1")
    monkeypatch.setattr(Remote, "gzip", True, raising=False)
    settings.DEPLOYKIT = {**settings.DEPLOYKIT, "SENDFILE": {"STORES": ["https://files.example"]}}
    answer = client.get("/remote/")
    assert (handed(answer), body(answer)) == (None, b"far away")


def test_a_forced_prefix_names_files(
    private: Path, client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SITES may replace SITE["PREFIX"], and then agrees with FORCE_SCRIPT_NAME."""
    monkeypatch.setenv(contract.STACK_KEY, "nginx/http")
    site = {**settings.DEPLOYKIT["SITE"], "PREFIX": "/old"}
    settings.DEPLOYKIT, settings.FORCE_SCRIPT_NAME = {"SITE": site}, "/new"
    assert handed(get(client, "report.txt")) == "/new/private/report.txt"


def test_what_a_server_sends_is_not_opened(private: Path, stack: str, client: Client) -> None:
    """A file that is handed over is looked at; only one that Python sends is open meanwhile."""
    name = os.path.realpath(private / "report.txt")
    answer = get(client, "report.txt")
    here = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    is_open = name in {os.path.realpath(link) for link in here}
    assert is_open is (handed(answer) is None) is (not stack)
    assert answer.file.stream is None or not stack


def test_files_are_closed(private: Path, stack: str, client: Client) -> None:
    """Whatever the answer is, no descriptor is left open."""
    before = len(os.listdir("/proc/self/fd"))
    etag = get(client, "report.txt")["ETag"]
    for asked in (
        {},
        {"Range": "bytes=0-1"},
        {"Range": "bytes=99999999-"},
        {"If_None_Match": etag},
    ):
        body(get(client, "report.txt", **asked))
        get(client, "report.txt", **asked).close()
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_a_random_part_is_that_part(private: Path, client: Client) -> None:
    """Every part is the bytes of the file at that place."""
    places = random.Random(6)  # noqa: S311  # no secret
    for _ in range(50):
        first, last = sorted((places.randrange(SIZE), places.randrange(SIZE)))
        answer = get(client, "report.txt", Range=f"bytes={first}-{last}")
        assert body(answer) == CONTENT[first : last + 1]


# What is written down.


@pytest.mark.parametrize("name", ["a\nGET forged", "a\r\nINFO forged", "\x1b[2J", "a\u2028b"])
def test_s24_a_name_writes_no_line_of_a_log(
    private: Path, client: Client, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """S24: whatever a file is called, or asked for, no record holds a control character."""
    (private / name).write_bytes(b"text")
    with caplog.at_level(logging.DEBUG):
        for asked in (name, f"{name}-missing"):
            client.get(f"/send/{quote(asked, safe='')}", {"name": asked})
            get(client, asked)
    said = [record.getMessage() for record in caplog.records]
    assert not [text for text in said if not text.isprintable()]


# What is lost by a redirect within Apache.


@pytest.fixture
def within_apache(client: Client) -> Client:
    """A client behind a configuration that says so."""
    client.defaults[contract.SENDFILE_KEY] = "mod_wsgi"
    return client


def test_what_apache_loses_is_in_the_query(private: Path, within_apache: Client) -> None:
    """Every header goes along in the URL, encoded so that none of them can add another one."""
    answer = get(within_apache, "report.txt", attachment_filename="a&etag=b%\u00fc.txt")
    assert body(answer) == b""
    url = urlsplit(handed(answer) or "")
    said = dict(pair.split("=", 1) for pair in url.query.split("&"))
    assert url.path == "/private/report.txt"
    for name in ("Content-Disposition", "Content-Type", "Cache-Control", "ETag", "Last-Modified"):
        assert unquote(said[name.lower()]) == answer.headers[name]


@pytest.mark.parametrize("header", ["Set-Cookie", "X-Of-My-Own"])
def test_what_apache_would_lose_is_sent_by_python(
    private: Path, within_apache: Client, settings: Any, header: str
) -> None:
    """A header that is not restored keeps the file with Python, with all headers."""
    settings.MIDDLEWARE = [FIRST, CHANGES]
    answer = within_apache.get("/send/", {"name": "report.txt"}, headers={"X-Add": header})
    assert handed(answer) is None
    assert body(answer) == CONTENT
    assert header in answer.headers or answer.cookies
