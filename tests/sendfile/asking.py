"""Requests for files, and what is read from the answers."""

from __future__ import annotations

import re
from email.message import Message
from typing import Any
from urllib.parse import unquote_to_bytes

from django.test import Client

from django_deploykit import contract


def get(client: Client, name: str, url: str = "/send/", **query: str) -> Any:
    """Ask for a file. Keys with capitals are headers, others belong to the query."""
    headers = {key.replace("_", "-"): query.pop(key) for key in list(query) if key[0].isupper()}
    return client.get(url, {"name": name, **query}, headers=headers)


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def handed(response: Any) -> str | None:
    """The value of the header that hands the file over."""
    names = (
        contract.SENDFILE_HEADER,
        contract.ACCEL_HEADER,
        contract.SCGI_REDIRECT_HEADER,
        contract.WSGI_REDIRECT_HEADER,
    )
    found = [response.headers[name] for name in names if name in response]
    assert len(found) < 2
    return found[0] if found else None


def saved_name(value: str) -> str:
    """The name of a Content-Disposition, read by RFC 6266 and nothing else."""
    kind = re.fullmatch(
        r"""(?:attachment|inline);\ (?:
        filename="(?P<quoted>(?:[\t !\#-\[\]-~])*)" |
        filename\*=utf-8''(?P<encoded>(?:[A-Za-z0-9!\#$&+.^_`|~-]|%[0-9A-F]{2})+))""",
        value,
        re.VERBOSE,
    )
    assert kind, value
    if kind["encoded"]:
        return unquote_to_bytes(kind["encoded"]).decode()
    return str(kind["quoted"])


def parts(response: Any) -> list[tuple[str, bytes]]:
    """The parts of a multipart/byteranges body, each with its Content-Range."""
    mark = Message()
    mark["Content-Type"] = response.headers["Content-Type"]
    boundary = str(mark.get_param("boundary")).encode()
    first, *found, last = body(response).split(b"--" + boundary)
    assert (first.strip(), last) == (b"", b"--\r\n")
    split = [part.removeprefix(b"\r\n").split(b"\r\n\r\n", 1) for part in found]
    return [
        (re.search(rb"Content-Range: ([^\r]+)", head)[1].decode(), text[:-2])  # type: ignore[index]
        for head, text in split
    ]
