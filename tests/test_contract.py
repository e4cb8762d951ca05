"""The names on which the web server and Django agree."""

from __future__ import annotations

import pytest

from django_deploykit import contract
from django_deploykit.config.registry import renderers

# What SecurityMiddleware, CommonMiddleware, RemoteUserMiddleware and gateways would believe.
BELIEVED = (
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-For",
    "X-Forwarded-Ssl",
    "Forwarded",
    "Remote-User",
    "Script-Name",
    "Path-Info",
    "X-Script-Name",
    "Proxy",
    # Before the address of the connection, by django-ipware and others of its kind.
    "Client-Ip",
    "X-Client-Ip",
    "X-Real-Ip",
    "X-Forwarded",
    "X-Cluster-Client-Ip",
    "Forwarded-For",
    "Cf-Connecting-Ip",
    "Cf-Connecting-Ipv6",
    "True-Client-Ip",
    "Fastly-Client-Ip",
)


@pytest.mark.parametrize("name", BELIEVED)
def test_believed_header_is_forbidden(name: str) -> None:
    """A header that Django, or a server below it, can be told to believe is no client's."""
    assert name in contract.CLIENT_FORBIDDEN_HEADERS


def test_names_stand_there_once() -> None:
    """No header is forbidden twice."""
    names = [name.lower() for name in contract.CLIENT_FORBIDDEN_HEADERS]
    assert len(names) == len(set(names))


def test_headers_are_spelled_with_dashes() -> None:
    """The underscore spelling reaches the same environ key, and is derived, never listed."""
    assert not any("_" in name for name in contract.CLIENT_FORBIDDEN_HEADERS)


def test_keys_are_those_of_the_headers() -> None:
    """The environ key of each header, as PEP 3333 makes it."""
    assert "HTTP_X_FORWARDED_PROTO" in contract.CLIENT_FORBIDDEN_KEYS
    assert len(contract.CLIENT_FORBIDDEN_KEYS) == len(contract.CLIENT_FORBIDDEN_HEADERS)


def test_stack_key_is_no_header() -> None:
    """No request can carry the key that says which stack this is."""
    assert not contract.STACK_KEY.startswith("HTTP_")
    assert not contract.environ_name_is_free(contract.STACK_KEY)


@pytest.mark.parametrize("name", ["CAMPUS", "SHOP_ZONE", "A", "X1", "PATHS", "SSLX", "HTTPSX"])
def test_free_names(name: str) -> None:
    """Upper-case names of the project's own."""
    assert contract.environ_name_is_free(name)


@pytest.mark.parametrize(
    "name",
    [
        *("HTTP_HOST", "HTTPS", "HTTP", "REMOTE_USER", "REMOTE_ADDR", "SCRIPT_NAME", "PATH_INFO"),
        *("PATH", "QUERY_STRING", "REQUEST_METHOD", "SERVER_NAME", "CONTENT_LENGTH", "SSL_CIPHER"),
        *("DOCUMENT_ROOT", "AUTH_TYPE", "GATEWAY_INTERFACE", "REDIRECT_STATUS", "WSGI_X"),
        *("PYTHON_PATH", "DJANGO_SETTINGS_MODULE", "DEPLOYKIT_STACK"),
        *("", "lower", "1A", "_A", "A-B", "A B", "A\n", "É", "A=B", "wsgi.input"),
    ],
)
def test_taken_names(name: str) -> None:
    """CGI's, WSGI's, Django's and our own names, and what is no name at all."""
    assert not contract.environ_name_is_free(name)


def test_fronts_are_the_renderers_that_speak_http_to_others() -> None:
    """The runtime believes, over HTTP, every front that is rendered and no other server."""
    fronts = [name for name, one in renderers().items() if one.path_hosts is not None]
    assert sorted(contract.FRONTS) == sorted(fronts)


def test_what_can_be_believed_is_forbidden_to_clients() -> None:
    """A header that a proxy may be trusted to send is removed from everybody else's request."""
    believable = (*contract.X_FORWARDED_FAMILY, *contract.BELIEVABLE_PREFIX_HEADERS)
    assert {*believable, contract.FORWARDED_HEADER} <= set(contract.CLIENT_FORBIDDEN_HEADERS)


def test_the_secret_is_no_data() -> None:
    """No name of SITE["ENVIRON"] makes the header by which a proxy proves itself."""
    assert not contract.PROOF_HEADER.startswith(contract.data_header("A")[:-1])


def test_the_decision_is_no_header() -> None:
    """No request can carry the key under which the decision stands."""
    assert not contract.environ_name_is_free(contract.DECISION_KEY)
    assert "." in contract.DECISION_KEY
    assert contract.DECISION_KEY.islower()
