"""Files of object storage, which the web server fetches by a URL that no client sees."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.http import HttpRequest

from django_deploykit import contract
from django_deploykit.sendfile.files import ProtectedFile
from django_deploykit.sendfile.ranges import Range

# Credentials that last for an hour make long URLs. nginx is told to take 16 KiB of headers.
_SPEAKABLE = re.compile(r"[!-~]{1,8192}")


def told(
    request: HttpRequest,
    file: ProtectedFile,
    stores: Sequence[tuple[str, str]],
    wanted: Sequence[Range] | None,
) -> dict[str, str] | None:
    """The headers that make nginx fetch a file, or None where Python has to read it.

    ``stores`` are pairs of an origin and its internal URL, ``wanted`` the parts that are asked
    for: none or one, because stores answer no more.
    """
    if not stores or not file.url or request.method != "GET" or len(wanted or ()) > 1:
        return None
    try:
        scheme, host, path, query, _ = urlsplit(file.url())
    except (NotImplementedError, ValueError):  # A storage of another kind, whose files have none.
        return None
    internal = dict(stores).get(f"{scheme}://{host}")
    signed = f"{path.removeprefix('/')}?{query}"
    if internal is None or not _SPEAKABLE.fullmatch(signed):
        return None
    said = {contract.ACCEL_HEADER: internal, contract.STORE_HEADER: signed}
    for first, last in wanted or ():
        said[contract.STORE_RANGE_HEADER] = f"bytes={first}-{last}"
    return said
