"""Files of object storage: Django signs a URL, nginx fetches it, and the client never sees it.

Manual: https://nginx.org/en/docs/http/ngx_http_proxy_module.html
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from django_deploykit import contract
from django_deploykit.config.facts import SiteFacts
from django_deploykit.config.plan import Plan
from django_deploykit.config.servers.nginx import gateways, protected
from django_deploykit.config.servers.nginx.dialect import variable
from django_deploykit.config.syntax.nodes import Argument, Comment, Node, Raw, block, directive
from django_deploykit.exceptions import ChoiceError

_SETTING = "DEPLOYKIT['SENDFILE']['STORES']"
# Debian's; whoever answers for another host must not get what was signed for this one.
_TRUSTED = "/etc/ssl/certs/ca-certificates.crt"
_SAID = (*contract.KEPT_HEADERS, "Last-Modified")
# Not the store's affair: nginx has them from Django already. Stores guess a coding by the name
# (.tar.gz), and it would make a client unpack what is to stay packed.
_DJANGOS = (
    "Cache-Control",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Type",
    "Expires",
    "Set-Cookie",
)
# The names in use by S3, Google, MinIO and Azure: nginx hides none by a pattern.
_ABOUT_THE_STORE = (
    "X-Amz-Delete-Marker",
    "X-Amz-Expiration",
    "X-Amz-Id-2",
    "X-Amz-Missing-Meta",
    "X-Amz-Mp-Parts-Count",
    "X-Amz-Object-Lock-Legal-Hold",
    "X-Amz-Object-Lock-Mode",
    "X-Amz-Object-Lock-Retain-Until-Date",
    "X-Amz-Replication-Status",
    "X-Amz-Request-Charged",
    "X-Amz-Request-Id",
    "X-Amz-Restore",
    "X-Amz-Server-Side-Encryption",
    "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id",
    "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled",
    "X-Amz-Server-Side-Encryption-Customer-Algorithm",
    "X-Amz-Server-Side-Encryption-Customer-Key-Md5",
    "X-Amz-Storage-Class",
    "X-Amz-Tagging-Count",
    "X-Amz-Version-Id",
    "X-Amz-Website-Redirect-Location",
    "X-Goog-Component-Count",
    "X-Goog-Encryption-Algorithm",
    "X-Goog-Encryption-Key-Sha256",
    "X-Goog-Encryption-Kms-Key-Name",
    "X-Goog-Expiration",
    "X-Goog-Generation",
    "X-Goog-Hash",
    "X-Goog-Metageneration",
    "X-Goog-Storage-Class",
    "X-Goog-Stored-Content-Encoding",
    "X-Goog-Stored-Content-Length",
    "X-Guploader-Uploadid",
    "X-Minio-Deployment-Id",
    "X-Ms-Blob-Type",
    "X-Ms-Client-Request-Id",
    "X-Ms-Copy-Completion-Time",
    "X-Ms-Copy-Id",
    "X-Ms-Copy-Progress",
    "X-Ms-Copy-Source",
    "X-Ms-Copy-Status",
    "X-Ms-Copy-Status-Description",
    "X-Ms-Creation-Time",
    "X-Ms-Encryption-Key-Sha256",
    "X-Ms-Encryption-Scope",
    "X-Ms-Is-Current-Version",
    "X-Ms-Last-Access-Time",
    "X-Ms-Lease-Duration",
    "X-Ms-Lease-State",
    "X-Ms-Lease-Status",
    "X-Ms-Request-Id",
    "X-Ms-Server-Encrypted",
    "X-Ms-Tag-Count",
    "X-Ms-Version",
    "X-Ms-Version-Id",
)
# What a browser takes for the word of the whole site.
_ABOUT_THE_HOST = (
    "Alt-Svc",
    "Clear-Site-Data",
    "NEL",
    "Report-To",
    "Strict-Transport-Security",
    "X-XSS-Protection",
)
_IGNORED = (contract.ACCEL_HEADER, "X-Accel-Limit-Rate", "X-Accel-Buffering", "X-Accel-Charset")
# Whatever is no answer, also of what stands before a store: nginx hands on every status that is not
# named, and 499 is its own.
_FAILURES = tuple(status for status in range(300, 600) if status not in (404, 499))


def check(plan: Plan) -> None:
    """Refuse a store that nginx could not find, or could not believe.

    It looks names up only where it is told to ask, and no address in a certificate (measured on
    1.22, as X509_check_host(3) says).
    """
    for origin in (origin for site in plan.sites for origin in site.stores):
        if not _is_address(origin) and not plan.deployment.resolver:
            raise ChoiceError(
                f"{_SETTING}: to find {origin!r}, nginx has to know a name server. "
                "Say --set resolver=127.0.0.53:53, or wherever yours is."
            )
        if _is_address(origin) and origin.startswith("https:"):
            raise ChoiceError(
                f"{_SETTING}: nginx refuses every certificate of {origin!r}, because it looks for "
                "names in them alone. Write the store's name."
            )


def _is_address(origin: str) -> bool:
    try:
        ipaddress.ip_address(urlsplit(origin).hostname or "")
    except ValueError:
        return False
    return True


def locations(plan: Plan, site: SiteFacts, hsts: list[Node]) -> list[Node]:
    """One internal location for each store, and one for whatever goes wrong there."""
    if not site.stores:
        return []
    remark = "Object storage: Django names a file by a signed URL, which no client sees."
    found = [_location(plan, site, number, hsts) for number in range(len(site.stores))]
    return [Comment(remark), *found, *(_error(site, status, hsts) for status in (404, 502))]


def _error(site: SiteFacts, status: int, hsts: list[Node]) -> Node:
    why = "what a store says of an error is not for clients"
    children = [
        *hsts,
        directive("add_header", "Cache-Control", "no-store", "always", why=protected.REFUSED),
        directive("return", status, why=why),
    ]
    return block("location", _named(site, status), children=children, why=why, setting=_SETTING)


def _named(site: SiteFacts, status: int) -> Raw:
    return Raw(f"@{site.name}-store-{status}")


def _location(plan: Plan, site: SiteFacts, number: int, hsts: list[Node]) -> Node:
    origin = site.stores[number]
    why = "the internal name of a store; no other one can be named"
    children = [
        directive("internal", why="for what Django names; 404 for every client"),
        *_told(plan),
        *_request(plan, origin),
        *_answer(site),
        *hsts,
        *_said(plan),
    ]
    url = contract.store_url(site.prefix, number)
    return block("location", Raw("="), url, children=children, why=why, setting=_SETTING)


def _told(plan: Plan) -> list[Node]:
    """Keep what Django said, before the store's own headers are in its place."""
    names = (contract.STORE_HEADER, contract.STORE_RANGE_HEADER, *_SAID)
    why = "what Django said; behind proxy_pass these variables are the store's"
    return [directive("set", _kept(plan, name), _upstream(name), why=why) for name in names]


def _kept(plan: Plan, name: str) -> Raw:
    names = (contract.STORE_HEADER, contract.STORE_RANGE_HEADER, *_SAID)
    return variable(plan, f"s{names.index(name)}")


def _upstream(name: str) -> Raw:
    return Raw("$upstream_http_" + name.lower().replace("-", "_"))


def _request(plan: Plan, origin: str) -> list[Node]:
    """Only what Django has signed, and the part that it lets the client have."""
    target = Raw(f'"{origin}/{_kept(plan, contract.STORE_HEADER).text}"')
    nothing = "no cookie and no credentials of a client reach the store"
    ranged = _kept(plan, contract.STORE_RANGE_HEADER)
    nodes = [
        directive("proxy_pass", target, why="of this store alone", setting=_SETTING),
        directive("proxy_method", Raw("GET"), why="for which the URL is signed"),
        directive("proxy_http_version", Raw("1.1"), why="what stores speak"),
        directive("proxy_pass_request_headers", "off", why=nothing),
        directive("proxy_pass_request_body", "off", why=nothing),
        _header("Host", urlsplit(origin).netloc, "the name is signed too"),
        _header("Connection", "", "one request"),
        _header("Content-Length", "", nothing),
        _header("Range", ranged, "Django has compared If-Range with its own validators"),
    ]
    again = "a store has several addresses, and a GET may be sent again"
    nodes.append(directive("proxy_next_upstream", "error", "timeout", why=again))
    if plan.deployment.resolver and not _is_address(origin):
        where = str(plan.deployment.resolver)
        nodes.append(directive("resolver", where, why="who knows the store's address"))
    return [*nodes, *(_verified(origin) if origin.startswith("https:") else [])]


def _header(name: str, value: Argument, why: str) -> Node:
    return directive("proxy_set_header", name, value, why=why)


def _verified(origin: str) -> list[Node]:
    why = "whoever else answers must not see what is signed"
    return [
        directive("proxy_ssl_server_name", "on", why=why),
        directive("proxy_ssl_name", urlsplit(origin).hostname or "", why=why),
        directive("proxy_ssl_verify", "on", why=why),
        directive("proxy_ssl_verify_depth", 4, why=why),
        directive("proxy_ssl_trusted_certificate", _TRUSTED, why=why),
    ]


def _answer(site: SiteFacts) -> list[Node]:
    why, silent = "the store's own says nothing to clients", "its messages hold the signed URL"
    hidden = (*_DJANGOS, *_SAID, *_ABOUT_THE_STORE, *_ABOUT_THE_HOST)
    return [
        *(directive("proxy_hide_header", name, why=why) for name in hidden),
        *gateways.hash_size(),
        directive("proxy_ignore_headers", *_IGNORED, why="a store orders nothing here"),
        directive("proxy_redirect", "off", why=why),
        directive("gzip", "off", why="a part of a compressed file is no compressed part"),
        directive("proxy_max_temp_file_size", 0, why="a large file is not written to disk first"),
        directive("proxy_intercept_errors", "on", why=why),
        directive("error_page", 404, Raw("="), _named(site, 404), why=why),
        directive("error_page", *_FAILURES, Raw("="), _named(site, 502), why=why),
        directive("error_log", "/dev/null", why=silent),
    ]


def _said(plan: Plan) -> list[Node]:
    """An absent header stays absent: nginx adds none that is empty."""
    why = "Django's own, in the place of the store's"
    return [directive("add_header", name, _kept(plan, name), why=why) for name in _SAID]
