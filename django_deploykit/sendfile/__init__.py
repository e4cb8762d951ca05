"""Protected files: Django decides who may read one, the web server sends it."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from django_deploykit.sendfile import backends, headers, last, policy
from django_deploykit.sendfile.backends import Backend
from django_deploykit.sendfile.files import ProtectedFile, find_protected, looked_up, opened
from django_deploykit.sendfile.middleware import waiting
from django_deploykit.sendfile.policy import Policy
from django_deploykit.sendfile.response import ProtectedFileResponse
from django_deploykit.sendfile.roots import MISSING, NoSuchFile
from django_deploykit.sendfile.signals import file_denied, file_served

__all__ = ["ProtectedFileResponse", "asendfile", "file_denied", "file_served", "sendfile"]


def sendfile(
    request: HttpRequest,
    filename: Any,
    attachment: bool = True,
    attachment_filename: str | None = None,
    mimetype: str | None = None,
    encoding: str | None = None,
) -> HttpResponseBase:
    """Answer ``request`` with a file of a directory in SITE["PROTECTED"]. Ask for permission first.

    ``filename`` is a path, a FieldFile, a pair of storage and name, or a file that a storage has
    opened.
    ``attachment=False`` lets a browser show it, if its type is one that runs nothing.
    ``attachment_filename`` is the name to save it under, by default its own; "" for none.
    ``mimetype`` is by default the one that the name stands for. ``encoding`` says that the
    bytes are compressed with it, and that the browser is to unpack them.

    Raise Http404 for whatever is no regular file there.
    """
    rules, later = policy.read(), waiting(request)
    backend = None if later is None else backends.of(request, rules)
    try:
        file = _found(filename, rules, backend)
    except NoSuchFile as error:
        raise Http404(MISSING) from error
    name = file.name if attachment_filename is None else attachment_filename or ""
    kind = mimetype or headers.guessed_type(file.name)
    shown = not attachment and headers.may_be_shown(kind, rules.inline)
    said = headers.of_every_file(kind, file.etag, file.modified)
    said["Content-Disposition"] = headers.disposition(not shown, name)
    if encoding:
        said["Content-Encoding"] = encoding
    response = ProtectedFileResponse(request, file, backend, said)
    if later is None:
        return last.decide(request, response, hand_off=False)
    later.append(response)
    return response


def _found(source: Any, rules: Policy, backend: Backend | None) -> ProtectedFile:
    """The file, open unless a server is likely to send it: that is told a path, and opens it."""
    if backend is not None:
        file = find_protected(source, rules, looked_up)
        if not backend.may_send_another(file.changed):
            return file
    return find_protected(source, rules, opened)


async def asendfile(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
    """Do what ``sendfile`` does, from an asynchronous view."""
    return await sync_to_async(sendfile)(request, *args, **kwargs)
