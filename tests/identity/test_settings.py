"""DEPLOYKIT["IDENTITY"]: what is taken, what is refused, and in which words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser, User
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.http import HttpResponse

from django_deploykit import contract, sso
from django_deploykit.middleware import ProxyIdentityMiddleware
from django_deploykit.sso import Source
from tests.identity.conftest import PROXY, Front


def read(settings: Any, **identity: Any) -> tuple[sso.Policy | None, dict[str, str]]:
    settings.DEPLOYKIT = {"IDENTITY": identity}
    policy, problems = sso.configured()
    return policy, dict(problems)


def start() -> ProxyIdentityMiddleware:
    return ProxyIdentityMiddleware(lambda request: HttpResponse())


def test_nothing_configured(settings: Any) -> None:
    """Without IDENTITY there is no policy, and the middleware does not start."""
    assert read(settings) == (None, {})
    with pytest.raises(ImproperlyConfigured, match=r"believes nobody.*'PRESET'.*authelia"):
        start()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"PRESET": "authelia", "REQUIERD": True}, r"unknown key 'REQUIERD'.*mean 'REQUIRED'\?"),
        ({"PRIVILEDGED": ["root"], "USER": "env:HTTP_X"}, r"(?s)HTTP_X.*'PRIVILEDGED'"),
        ({"PRESETS": "authelia"}, r"mean 'PRESET'\?"),
        ("authelia", r": 'authelia' is not a dict\."),
        (["authelia"], r"is not a dict\."),
    ],
)
def test_a_misspelled_section_stops_the_process(section: Any, message: str, settings: Any) -> None:
    """A key that nobody reads was meant to forbid something: it must not let anybody in."""
    settings.DEPLOYKIT = {"IDENTITY": section}
    with pytest.raises(ImproperlyConfigured, match=r"DEPLOYKIT\['IDENTITY'\]") as raised:
        start()
    assert re.search(message, str(raised.value))


@pytest.mark.parametrize("key", ["REMOTE_USER", "eppn", "Shib-Identity-Provider", "OIDC_CLAIM_sub"])
def test_keys_that_a_server_writes(settings: Any, key: str) -> None:
    """Every key that does not begin with HTTP_, and is not made of the request line."""
    policy, problems = read(settings, USER=f"env:{key}")
    assert problems == {}
    assert policy
    assert policy.user == Source("env", key)


@pytest.mark.parametrize(
    "value",
    [
        # I1: a client writes these, whatever they are called here.
        *("env:HTTP_REMOTE_USER", "env:http_remote_user", "env:HTTP-X", "env:REDIRECT_HTTP_USER"),
        *("env:QUERY_STRING", "env:PATH_INFO", "env:SERVER_NAME", "env:REQUEST_URI"),
        *("env:REDIRECT_REDIRECT_QUERY_STRING", "env:CONTENT_TYPE", "env:REMOTE_IDENT"),
        # Apache has the name here of a request that it refused, and led elsewhere.
        *("env:REDIRECT_REMOTE_USER", "env:REDIRECT_REDIRECT_REMOTE_USER"),
        # I16: a certificate is no identity until somebody has verified it.
        *("env:SSL_CLIENT_S_DN_CN", "env:SSL_CLIENT_S_DN", "env:SSL_CLIENT_M_SERIAL"),
        *("env:SSL_TLS_SNI", "env:SSL_CLIENT_SAN_DNS_0", "env:ssl_client_san_email_0"),
        # Not removed from the requests of clients.
        *("header:X-User", "header:Authorization", "header:Remote_User", "header:REMOTE_USER"),
        *("env:", "env:wsgi.input", "env:A B", "env:\n", "header:", "REMOTE_USER", "", None, 5),
        *("jwt:", "jwt: ", "Env:REMOTE_USER", "env: REMOTE_USER"),
    ],
)
def test_sources_that_nobody_may_believe(settings: Any, value: object) -> None:
    """I1: refused, with the value and everything that is allowed."""
    policy, problems = read(settings, USER=value)
    assert policy is None
    (message,) = problems.values()
    assert message.startswith(f"{value!r} is no place that can be believed. Write 'env:'")
    assert contract.AUTHELIA.user in message
    with pytest.raises(ImproperlyConfigured, match=r"DEPLOYKIT\['IDENTITY'\]\['USER'\]: "):
        start()


def test_names_of_headers_have_no_case(settings: Any) -> None:
    """As everywhere in HTTP; dashes are dashes."""
    policy, _ = read(settings, USER="header:remote-user")
    assert policy
    assert policy.user == Source("header", "Remote-User")


SIGNATURE = {
    "HEADER": "X-Token",
    "KEYS": "https://login.example.com/keys",
    "ALGORITHM": "RS256",
    "ISSUER": "https://login.example.com",
    "AUDIENCE": "shop",
}
TOKEN = {"USER": "jwt:email", "JWT": SIGNATURE}


def _token(**own: Any) -> dict[str, Any]:
    return {**TOKEN, "JWT": {**SIGNATURE, **own}}


@pytest.mark.parametrize(
    ("identity", "place", "message"),
    [
        ({"PRESET": "authelai"}, "PRESET", "unknown preset 'authelai'. Did you mean 'authelia'?"),
        ({"PRESET": ["authelia"]}, "PRESET", "unknown preset "),
        ({"MODE": "sometimes"}, "MODE", "'sometimes' is none of 'every-request', 'persistent'"),
        ({"CREATE": "no"}, "CREATE", "'no' is neither True nor False."),
        ({"REQUIRED": 1}, "REQUIRED", "1 is neither True nor False."),
        ({"MAX_AGE": "1h"}, "MAX_AGE", "'1h' is not a whole number of seconds."),
        ({"MAX_AGE": 0}, "MAX_AGE", "0 is not a whole number of seconds."),
        ({"MAX_AGE": True}, "MAX_AGE", "True is not a whole number of seconds."),
        ({"SEPARATOR": " "}, "SEPARATOR", "' ' is none of ',', ';', '|'."),
        ({"PRIVILEGED": "root"}, "PRIVILEGED", "'root' is not a list of names."),
        ({"PRIVILEGED": ["root", ""]}, "PRIVILEGED", "['root', ''] is not a list of names."),
        ({"GROUP_MAP": ["a"], "GROUPS": "env:G"}, "GROUP_MAP", "['a'] is not a dict."),
        ({"GROUP_MAP": {"a": 1}, "GROUPS": "env:G"}, "GROUP_MAP", "{'a': 1} does not lead"),
        ({"GROUP_MAP": {"a": "A"}}, "GROUPS", "unset, so that GROUP_MAP and FLAGS have nothing"),
        ({"FLAGS": {"is_admin": ["a"]}, "GROUPS": "env:G"}, "FLAGS", "unknown flag 'is_admin'."),
        ({"FLAGS": {"is_staff": "a"}, "GROUPS": "env:G"}, "FLAGS", "'a' is not a list of names."),
        ({"ATTRIBUTES": {"password": "env:P"}}, "ATTRIBUTES", "unknown field 'password'."),
        ({"ATTRIBUTES": {"is_staff": "env:P"}}, "ATTRIBUTES", "unknown field 'is_staff'."),
        ({"ATTRIBUTES": {"email": "env:HTTP_M"}}, "ATTRIBUTES", "'env:HTTP_M' is no place"),
        ({"GROUPS": "env:HTTP_GROUPS"}, "GROUPS", "'env:HTTP_GROUPS' is no place"),
        ({"GROUPS": "header:Remote-Groups"}, "USER", "name keys ('env:') alone, or headers"),
        ({"ATTRIBUTES": {"email": "header:Remote-Email"}}, "USER", "name keys ('env:') alone"),
        ({"JWT": {}, "USER": "jwt:email"}, "JWT", "it and sources that begin with 'jwt:'"),
        ({"JWT": SIGNATURE}, "JWT", "it and sources that begin with 'jwt:'"),
        ({**TOKEN, "GROUPS": "env:G"}, "USER", "name keys ('env:') alone"),
        ({**TOKEN, "MODE": "persistent"}, "MODE", "'persistent' is not for tokens"),
        (_token(ALGORITHM="HS256"), "JWT", "ALGORITHM='HS256' is not one of RS256"),
        (_token(ALGORITHM="none"), "JWT", "ALGORITHM='none' is not one of RS256"),
        (_token(ALGORITHM=["RS256"]), "JWT", "ALGORITHM=['RS256'] is not one of RS256"),
        (_token(AUDIENCE=""), "JWT", "AUDIENCE='' is not what the issuer calls this"),
        (_token(ISSUER=None), "JWT", "ISSUER=None is not what the issuer calls itself"),
        (_token(HEADER="X_Token"), "JWT", "HEADER='X_Token' is not a header that"),
        (_token(HEADER="Remote-User"), "JWT", "HEADER='Remote-User' is not a header that"),
        (_token(KEYS="keys.json"), "JWT", "KEYS='keys.json' is not the absolute path"),
        (_token(KEYS="http://a.example/"), "JWT", "KEYS='http://a.example/' is not the"),
        (_token(KEYS="https:///"), "JWT", "KEYS='https:///' is not the absolute path"),
        (_token(KEYS="https://[::1/"), "JWT", "KEYS='https://[::1/' is not the absolute path"),
        (_token(KEYS="https://a:port/"), "JWT", "KEYS='https://a:port/' is not the absolute path"),
        (_token(KEYS="https://a.example/ "), "JWT", "KEYS='https://a.example/ ' is not the"),
        (_token(SECRET="x"), "JWT", "unknown key 'SECRET'."),
        ({"USER": "jwt:email", "JWT": "https://a.example/"}, "JWT", "'https://a.example/' is not"),
        ({"SIGN_OUT": "//evil.example/"}, "SIGN_OUT", "'//evil.example/' is no URL. Write a path"),
        ({"SIGN_OUT": "javascript:alert(1)"}, "SIGN_OUT", "'javascript:alert(1)' is no URL."),
        ({"SIGN_OUT": "/a b"}, "SIGN_OUT", "'/a b' is no URL."),
        ({"SIGN_OUT": "/\\evil.example"}, "SIGN_OUT", "'/\\\\evil.example' is no URL."),
        ({"SIGN_OUT": None}, "SIGN_OUT", "None is no URL."),
    ],
)
def test_what_makes_no_sense_is_refused(
    settings: Any, identity: dict[str, Any], place: str, message: str
) -> None:
    """Each with its setting, the value and what is allowed; and there is no half policy."""
    policy, problems = read(settings, **{"USER": "env:REMOTE_USER", **identity})
    assert policy is None
    assert list(problems) == [f"DEPLOYKIT['IDENTITY'][{place!r}]"]
    assert problems[f"DEPLOYKIT['IDENTITY'][{place!r}]"].startswith(message)
    with pytest.raises(ImproperlyConfigured):
        start()


@pytest.mark.parametrize(
    "value", ["", "/logout", "/out?rd={next}", "https://login.example.com/out", "http://a"]
)
def test_sign_out_urls(settings: Any, value: str) -> None:
    """A path, or a whole URL."""
    policy, problems = read(settings, USER="env:REMOTE_USER", SIGN_OUT=value)
    assert problems == {}
    assert policy
    assert policy.sign_out == value


# What each front sends where nobody configured it otherwise: user, groups and their separator.
PRESETS = {
    "apache-basic": ("env:REMOTE_USER", None, ","),
    "apache-certificate": ("env:SSL_CLIENT_SAN_Email_0", None, ","),
    "apache-kerberos": ("env:REMOTE_USER", None, ","),
    "authelia": ("header:Remote-User", "header:Remote-Groups", ","),
    "authentik": ("header:X-Authentik-Username", "header:X-Authentik-Groups", "|"),
    "mod_auth_openidc": ("env:REMOTE_USER", "env:OIDC_CLAIM_groups", ","),
    "oauth2-proxy": ("header:X-Forwarded-User", "header:X-Forwarded-Groups", ","),
    "oauth2-proxy-nginx": ("header:X-Auth-Request-User", "header:X-Auth-Request-Groups", ","),
    "shibboleth": ("env:REMOTE_USER", "env:isMemberOf", ";"),
}
# And what a signed token needs beside a preset.
SIGNED = {
    "cloudflare-access": {
        "AUDIENCE": "4714",
        "ISSUER": "https://shop.cloudflareaccess.com",
        "KEYS": "https://shop.cloudflareaccess.com/cdn-cgi/access/certs",
    },
    "google-iap": {"AUDIENCE": "/projects/4714/apps/shop"},
}


def test_every_preset_is_here() -> None:
    """Those of tokens are tried with keys in test_signed.py."""
    assert {*PRESETS, *SIGNED} == set(sso.PRESETS)


@pytest.mark.parametrize("preset", SIGNED)
def test_presets_of_signed_tokens(settings: Any, preset: str) -> None:
    """Each lacks only what is the site's own, and says so."""
    policy, problems = read(settings, PRESET=preset, JWT=SIGNED[preset])
    assert problems == {}
    assert policy
    assert str(policy.user) == "jwt:email"
    assert policy.signature
    assert policy.signature.audience == SIGNED[preset]["AUDIENCE"]
    settings.DEPLOYKIT = {"IDENTITY": {"PRESET": preset}}
    _, missing = sso.configured()
    assert [sentence.partition("=None ")[0] for _, sentence in missing] == list(SIGNED[preset])


@pytest.mark.parametrize("preset", PRESETS)
def test_presets(settings: Any, preset: str) -> None:
    """Each stands for what that front sends, by itself; nothing is created or promoted."""
    policy, problems = read(settings, PRESET=preset)
    assert problems == {}
    assert policy
    user, groups, separator = PRESETS[preset]
    assert (str(policy.user), policy.groups and str(policy.groups)) == (user, groups)
    assert policy.separator == separator
    written = (policy.create, policy.group_map, policy.flags, policy.attributes)
    assert not any(written)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_sign_in(front: Front, alice: User, preset: str) -> None:
    """The name where a preset looks for it signs in; and in no place of another preset."""
    ours = Source(*PRESETS[preset][0].split(":"))
    for user, _, _ in PRESETS.values():
        source = Source(*user.split(":"))
        key = contract.environ_key(source.name) if source.is_header else source.name
        said = {key: "alice", "SSL_CLIENT_VERIFY": "SUCCESS"}
        answer = front.believe(PRESET=preset).client().get("/", **said)
        assert answer.content == (b"alice" if source == ours else b"")


def test_a_key_of_ones_own_wins_over_the_preset(settings: Any) -> None:
    """A preset is a beginning."""
    policy, _ = read(settings, PRESET="shibboleth", USER="env:eppn", SIGN_OUT="")
    assert policy
    assert (policy.user.name, policy.separator, policy.sign_out) == ("eppn", ";", "")


def test_the_user_model_has_what_is_written(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model without the field is refused at start, not at the first sign-in."""

    class Bare(AbstractBaseUser):
        name = models.TextField(unique=True)
        USERNAME_FIELD = "name"

        class Meta:
            app_label = "bare"

    monkeypatch.setattr("django_deploykit.identity.accounts.get_user_model", lambda: Bare)
    for identity, name in [
        ({"ATTRIBUTES": {"email": "env:MAIL"}}, "email"),
        ({"GROUPS": "env:G", "GROUP_MAP": {"a": "A"}}, "groups"),
        ({"GROUPS": "env:G", "FLAGS": {"is_staff": ["a"]}}, "is_staff"),
    ]:
        read(settings, USER="env:REMOTE_USER", **identity)
        with pytest.raises(ImproperlyConfigured, match=rf"write '{name}', which the user model"):
            start()
    read(settings, USER="env:REMOTE_USER")
    assert start()


def test_the_user_name_is_no_attribute(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """I13: an account is found by it, and would be another one's after it was written."""

    class Mailed(AbstractBaseUser):
        email = models.EmailField(unique=True)
        USERNAME_FIELD = "email"

        class Meta:
            app_label = "bare"

    monkeypatch.setattr("django_deploykit.identity.accounts.get_user_model", lambda: Mailed)
    read(settings, USER="env:MAIL", ATTRIBUTES={"email": "env:MAIL"})
    with pytest.raises(ImproperlyConfigured, match=r"write 'email', which is the user name of"):
        start()
    read(settings, USER="env:MAIL")
    assert start()


def test_the_order_of_middleware(front: Front, settings: Any) -> None:
    """Without AuthenticationMiddleware before it, no request is answered."""
    settings.MIDDLEWARE = settings.MIDDLEWARE[-1:]
    settings.DEPLOYKIT = {"IDENTITY": {"USER": "env:REMOTE_USER"}, "PROXY": PROXY}
    with pytest.raises(ImproperlyConfigured, match=r"needs 'django\.contrib\.auth"):
        front.client().get("/")
