"""A response that knows its file, so that its body can be chosen last."""

from __future__ import annotations

import asyncio
import io
import secrets
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import IO, Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

from django_deploykit.sendfile.backends import Backend
from django_deploykit.sendfile.files import ProtectedFile
from django_deploykit.sendfile.ranges import Range

# Large enough to be fast, small enough for thousands of downloads at once.
_BLOCK = 256 * 1024

# While a response has a coding, no middleware compresses it: a part of a compressed file is not a
# compressed part. It is taken out again when the body is chosen.
_UNCODED = "identity"

# Bytes, or a part of the file.
_Part = bytes | Range


class ProtectedFileResponse(StreamingHttpResponse):
    """A protected file, whole, sent from Python unless something better is decided later.

    Middleware may add to it. Where one puts another body in, this one is no longer a file.
    """

    block_size = _BLOCK
    # Set where the WSGI server may send the whole file by itself (PEP 3333, wsgi.file_wrapper).
    file_to_stream: Any = None

    def __init__(
        self,
        request: HttpRequest,
        file: ProtectedFile,
        backend: Backend | None,
        headers: Mapping[str, str],
    ) -> None:
        # By whom the file may be sent; None is Python alone.
        self.file, self.backend = file, backend
        self._stream: IO[bytes] | io.FileIO | None = None
        if file.stream is not None:
            self.open()
        # Django REST framework has a request of its own, around that of Django.
        self._is_asgi = isinstance(getattr(request, "_request", request), ASGIRequest)
        said = {"Content-Encoding": _UNCODED, "Content-Length": str(file.size)}
        super().__init__(self._body([(0, file.size - 1)]), headers={**said, **headers})
        self.is_replaced = False

    @property
    def streaming_content(self) -> Any:
        """The body."""
        return super().streaming_content

    @streaming_content.setter
    def streaming_content(self, value: Iterable[object] | AsyncIterable[object]) -> None:
        self.is_replaced, self.file_to_stream = True, None
        super()._set_streaming_content(value)  # type: ignore[misc]

    @property
    def is_encoded(self) -> bool:
        """Tell whether a view said that the file is compressed."""
        return self.headers.get("Content-Encoding", _UNCODED) != _UNCODED

    def drop_guard(self) -> None:
        """Take out the coding that is none."""
        self.headers.pop("Content-Encoding", None)

    @property  # type: ignore[override]  # no stream has any
    def content(self) -> bytes:
        """The body of a response that is no stream any more. Raise AttributeError for a stream."""
        return super().content if self.streaming else self._content

    @content.setter
    def content(self, value: bytes) -> None:
        self._content, self.streaming = self.make_bytes(value), False
        self.streaming_content = (self._content,)

    def send_nothing(self) -> None:
        """Keep the headers, and have no body: for HEAD, and where the web server sends.

        It is none that streams, which middleware would compress, or leave to a thread.
        """
        self.content = b""
        self.is_replaced = False
        self.let_go()

    def let_server_send(self) -> None:
        """Let the WSGI server take the whole file, if it is one that the kernel knows."""
        if self.file.place and not self._is_asgi:
            self.file_to_stream = self.open()

    def send_ranges(self, ranges: Sequence[Range]) -> None:
        """Send one part of the file, or several, each with a head of its own (RFC 9110 14.6)."""
        self.status_code = 206
        if len(ranges) == 1:
            (first, last) = ranges[0]
            self.headers["Content-Range"] = f"bytes {first}-{last}/{self.file.size}"
            self.headers["Content-Length"] = str(last - first + 1)
            return self._send(ranges)
        parts = self._multipart(ranges)
        self.headers["Content-Length"] = str(sum(map(_length, parts)))
        return self._send(parts)

    def _multipart(self, ranges: Sequence[Range]) -> list[_Part]:
        mark, kind = secrets.token_hex(16), self.headers["Content-Type"]
        self.headers["Content-Type"] = f"multipart/byteranges; boundary={mark}"
        parts: list[_Part] = []
        for first, last in ranges:
            span = f"bytes {first}-{last}/{self.file.size}"
            head = f"\r\n--{mark}\r\nContent-Type: {kind}\r\nContent-Range: {span}\r\n\r\n"
            parts += [head.encode(), (first, last)]
        return [*parts, f"\r\n--{mark}--\r\n".encode()]

    def _send(self, parts: Sequence[_Part]) -> None:
        self.streaming_content = self._body(parts)
        self.is_replaced = False

    def _body(self, parts: Sequence[_Part]) -> Iterator[bytes] | AsyncIterator[bytes]:
        blocks = _blocks(self.open, parts)
        return _in_threads(blocks) if self._is_asgi else blocks

    def open(self) -> IO[bytes] | io.FileIO:
        """The open file. Raise NoSuchFile where it is not the one any more that was looked up."""
        if self._stream is None:
            self._stream = self.file.open()
            # Kept, for the handler of Django puts the close() of this response in its place.
            self._close_stream = self._stream.close
        return self._stream

    def let_go(self) -> None:
        """Close the file: another response takes the place of this one."""
        if self._stream is not None:
            self._close_stream()

    def close(self) -> None:
        self.let_go()
        super().close()


def _length(part: _Part) -> int:
    return len(part) if isinstance(part, bytes) else part[1] - part[0] + 1


def _blocks(opened: Callable[[], IO[bytes] | io.FileIO], parts: Sequence[_Part]) -> Iterator[bytes]:
    for part in parts:
        if isinstance(part, bytes):
            yield part
            continue
        stream = opened()
        stream.seek(part[0])
        left = _length(part)
        # A file that became shorter ends early; the client sees by the length that it did.
        while left > 0 and (block := stream.read(min(_BLOCK, left))):
            left -= len(block)
            yield block


async def _in_threads(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Read in other threads: a disk that is slow keeps no other request waiting."""
    while block := await asyncio.to_thread(next, blocks, b""):
        yield block
