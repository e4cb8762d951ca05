"""What is said of a file: its type, its name, and what a browser may do with it."""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import quote

from django.utils.http import http_date

from django_deploykit import contract

# Python's own table: that of the host is another one on every host.
_TYPES = mimetypes.MimeTypes()
_LATER = {
    ".avif": "image/avif",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
# A packed file is sent as one: with Content-Encoding, browsers would unpack it.
_PACKED = {
    "br": "application/x-brotli",
    "bzip2": "application/x-bzip",
    "compress": "application/x-compress",
    "gzip": "application/gzip",
    "xz": "application/x-xz",
}
_UNKNOWN = "application/octet-stream"

# What a browser shows without running anything in the site's name.
INLINE = (
    "audio/aac",
    "audio/flac",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "audio/x-wav",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/plain",
    "video/mp4",
    "video/mpeg",
    "video/ogg",
    "video/webm",
)
_NO_SOURCES = "default-src 'none'"
_SANDBOX = f"sandbox; {_NO_SOURCES}"
_AMBIGUOUS = re.compile(r'["%\\]')
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f/\u2028\u2029]")

# To write a date costs as much as to open a file, and files are asked for again, part by part.
date = lru_cache(maxsize=1024)(http_date)


def guessed_type(name: str) -> str:
    """The type that a name stands for, never one that an uploader has said."""
    return _type_of(os.path.splitext(name)[1])


@lru_cache(maxsize=256)
def _type_of(suffix: str) -> str:
    """The type that the last suffix stands for: what is packed has no other one."""
    # As a path: "data:text/html,x.txt" would be read as a URL.
    kind, packing = _TYPES.guess_type(f"./x{suffix}")
    if packing:
        return _PACKED.get(packing, _UNKNOWN)
    return kind or _LATER.get(suffix.lower(), _UNKNOWN)


def may_be_shown(content_type: str, more: Sequence[str] = ()) -> bool:
    """Tell whether a browser may show this type; ``more`` are the types that settings add."""
    kind = content_type.partition(";")[0].strip().lower()
    return not contract.ACTIVE_TYPES.search(kind) and kind in (*INLINE, *more)


def disposition(attachment: bool, name: str) -> str:
    """The header that gives the file its name (RFC 6266), the same for every browser."""
    readable = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    clean, kind = _UNSAFE.sub("_", readable), "attachment" if attachment else "inline"
    if not clean:
        return kind
    # Some browsers decode '%22', or stop at a quote, in the plain parameter.
    if clean.isascii() and not _AMBIGUOUS.search(clean):
        return f'{kind}; filename="{clean}"'
    return f"{kind}; filename*=utf-8''{quote(clean, safe='')}"


def content_policy(content_type: str) -> str:
    """What the file may do if a browser opens it. In a sandbox, browsers show no PDF."""
    return _NO_SOURCES if content_type.startswith("application/pdf") else _SANDBOX


def of_every_file(content_type: str, etag: str | None, modified: int | None) -> dict[str, str]:
    """What no cache may keep, no browser may guess or run; and how the file is known again."""
    said = {
        "Cache-Control": "private, no-store",
        "Content-Security-Policy": content_policy(content_type),
        "Content-Type": content_type,
        "X-Content-Type-Options": "nosniff",
    }
    if etag:
        said["ETag"] = etag
    if modified is not None:
        said["Last-Modified"] = date(modified)
    return said
