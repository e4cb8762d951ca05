"""Signs in whom the front says, for as long as it says so."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib import auth
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import router, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control
from django.utils.crypto import get_random_string, salted_hmac
from django.utils.module_loading import import_string

from django_deploykit import conf, contract, sso
from django_deploykit.identity import accounts
from django_deploykit.identity.assertion import Assertion, read, rules_digest
from django_deploykit.identity.backend import ProxyIdentityBackend
from django_deploykit.identity.signed import KeysUnavailable, Verifier
from django_deploykit.proxy.decision import Decision
from django_deploykit.proxy.requests import forget

# Where a session says whose it is, and since when: by digests, never by names.
ENTRY = "_deploykit_identity"
_A_MINUTE = 60
_SALT = "deploykit.identity.token"


class ProxyIdentityMiddleware:
    """Makes ``request.user`` whom DEPLOYKIT["IDENTITY"]'s source names.

    It stands after AuthenticationMiddleware, and for headers also after TrustedProxyMiddleware:
    without ``request.deploykit``, or from a peer that is not trusted, no header is believed.

    Raise ImproperlyConfigured at start for settings that do not make sense.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        if get_response is None:
            raise ValueError("get_response must be provided.")
        self.get_response = get_response
        self.policy = _policy()
        accounts.check_model(self.policy)
        self._rules = rules_digest(self.policy)
        signature = self.policy.signature
        self._verifier = Verifier(signature) if signature else None
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self.__acall__(request)
        return self._refusal(request) or self._kept_private(self.get_response(request))

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        # Sessions and accounts are read in a thread anyway; once there is better than often.
        refusal = await sync_to_async(self._refusal, thread_sensitive=True)(request)
        return refusal or self._kept_private(await self.get_response(request))

    def _refusal(self, request: HttpRequest) -> HttpResponse | None:
        """Settle who the user is; the answer where that cannot be known: not a page for nobody."""
        try:
            self.identify(request)
        except KeysUnavailable:
            return HttpResponse("Service Unavailable\n", "text/plain; charset=utf-8", 503)
        return None

    def identify(self, request: HttpRequest) -> None:
        """Settle who the user of a request is. Raise PermissionDenied where there has to be one,
        and BadRequest for a name that makes no sense."""
        if not hasattr(request, "user"):
            raise ImproperlyConfigured(
                "ProxyIdentityMiddleware needs 'django.contrib.auth.middleware."
                "AuthenticationMiddleware' before it in MIDDLEWARE."
            )
        said = self._believed(request)
        asserted = read(self.policy, said) if said is not None else None
        if asserted is not None:
            _set_user(request, self._user_of(request, asserted))
        elif self._has_ended(request, said is not None):
            self._sign_out(request)
        if self.policy.required and not request.user.is_authenticated:
            raise PermissionDenied("The front names nobody who is let in.")

    def _believed(self, request: HttpRequest) -> Mapping[str, Any] | None:
        """Where the policy's sources are looked up, by name; None where nobody is believed.

        A key that only the server writes needs no other witness but for a certificate, which it
        has to have verified; nor does a token that its issuer signed. A header is taken from the
        record of TrustedProxyMiddleware, which has removed it from META, and only if its peer's
        count.
        """
        signature = self.policy.signature
        if self._verifier and signature:
            token = _take(request, signature.header)
            return self._verifier.claims(token) if token else {}
        if not self.policy.user.is_header:
            return request.META if self._is_verified(request) else {}
        record = getattr(request, "deploykit", None)
        if isinstance(record, Decision) and record.verdict.trusted and record.verdict.speaks:
            return record.original
        return None

    def _is_verified(self, request: HttpRequest) -> bool:
        """Tell whether the server checked what its keys say: with ``optional_no_ca`` it takes any
        certificate (SSLVerifyClient); and in a name that it refused Apache asks for the page that
        says so, where the same configuration holds for both (ap_process_request_internal)."""
        if _is_refusal(request.META):
            return False
        verdict = request.META.get(contract.CERTIFICATE_VERDICT_KEY)
        return verdict == contract.CERTIFICATE_IS_VERIFIED or not self.policy.asks_certificate

    def _user_of(self, request: HttpRequest, asserted: Assertion) -> Any:
        """The account of who is asserted, or None. Whoever else was signed in is signed out, also
        one with a password: what the front says and what the request does must be one person's."""
        if self.policy.mode == "stateless":
            _set_apart(request, asserted.subject_digest)
            return auth.authenticate(request, assertion=asserted)
        if auth.SESSION_KEY in request.session:
            if request.user.is_authenticated and self._is_theirs(request, asserted):
                return request.user
            auth.logout(request)
            _set_apart(request)
        user = auth.authenticate(request, assertion=asserted)
        if user is not None:
            auth.login(request, user)  # A new session key, and a new CSRF token.
            _set_apart(request)
            request.session[ENTRY] = {
                "subject": asserted.subject_digest,
                "since": int(time.time()),
                **self._noted(asserted),
            }
        return user

    def _noted(self, asserted: Assertion) -> dict[str, Any]:
        """What a session keeps of the front's word, and of the rules by which it was followed."""
        return {
            "claims": asserted.claims_digest,
            "groups": asserted.groups is not None,
            "rules": self._rules,
        }

    def _has_ended(self, request: HttpRequest, believed: bool) -> bool:
        """Tell whether a session began with a name that nobody says any more."""
        backend = _backend_of(request.session)
        return backend is not None and not (believed and self._lasts(request, backend))

    def _lasts(self, request: HttpRequest, backend: ProxyIdentityBackend) -> bool:
        """Tell whether the front's last word still holds, and its account is still let in."""
        if self.policy.mode != "persistent":
            return False
        entry = request.session.get(ENTRY, {})
        is_recent = 0 <= time.time() - entry.get("since", 0) <= self.policy.max_age
        return is_recent and backend.accepts(request.user, self._remembered(request.user, entry))

    def _remembered(self, user: Any, entry: Mapping[str, Any]) -> Assertion:
        """The front's last word, as far as it matters to who is let in: it gives no powers by
        other rules than those by which it was followed."""
        is_followed = entry.get("groups") and entry.get("rules") == self._rules
        groups: frozenset[str] | None = frozenset() if is_followed else None
        return Assertion(user.get_username(), groups, {}, self.policy)

    def _sign_out(self, request: HttpRequest) -> None:
        """Nobody is signed in any more; on a page that says why a request failed, for that page
        alone: it says nothing of the session."""
        if self.policy.mode != "stateless" and not _is_refusal(request.META):
            auth.logout(request)
        _set_apart(request)
        _set_user(request, None)

    def _is_theirs(self, request: HttpRequest, asserted: Assertion) -> bool:
        """Tell whether a session is that of the asserted user, who is still let in; what is new
        of them, or is understood in a new way, is written down."""
        backend, entry = _backend_of(request.session), request.session.get(ENTRY, {})
        if backend is None or entry.get("subject") != asserted.subject_digest:
            return False
        if not backend.accepts(request.user, asserted):
            return False
        noted = self._noted(asserted)
        if not noted.items() <= entry.items():
            with transaction.atomic(using=router.db_for_write(get_user_model())):
                accounts.follow(request.user, asserted)
        self._renew(request.session, noted)
        return True

    def _renew(self, session: Any, noted: Mapping[str, Any]) -> None:
        """Note what was said, and when; the time not more often than it matters."""
        entry = {**session[ENTRY], **noted}
        if self.policy.mode == "persistent" and time.time() - entry["since"] > _A_MINUTE:
            entry["since"] = int(time.time())
        if entry != session[ENTRY]:
            session[ENTRY] = entry

    def _kept_private(self, response: HttpResponseBase) -> HttpResponseBase:
        """Without a session no Vary: Cookie tells a cache that pages differ by user."""
        if self.policy.mode == "stateless":
            patch_cache_control(response, private=True)
        return response


def _policy() -> sso.Policy:
    policy, found_wrong = sso.configured()
    problems = [f"{place}: {text}" for place, text in found_wrong]
    problems += conf.complaints(sso.IDENTITY)
    if problems:
        raise ImproperlyConfigured("\n".join(problems))
    if policy is None:
        raise ImproperlyConfigured(
            f"ProxyIdentityMiddleware believes nobody: {sso.IDENTITY} is not set. Set its 'PRESET' "
            f"to one of {', '.join(sso.PRESETS)}, or its 'USER'."
        )
    return policy


def _backend_of(session: Any) -> ProxyIdentityBackend | None:
    """The backend of a session that began here."""
    path = session.get(auth.BACKEND_SESSION_KEY)
    try:
        backend = import_string(path)() if path else None
    except ImportError:
        return None  # get_user() makes nobody of it.
    return backend if isinstance(backend, ProxyIdentityBackend) else None


def _is_refusal(meta: Mapping[str, Any]) -> bool:
    """Tell whether Apache asks for a page of its own, because it could not verify a user."""
    key = contract.REDIRECT_STATUS_KEY
    while key in meta:
        if meta[key] in contract.UNVERIFIED_STATUSES:
            return True
        key = f"REDIRECT_{key}"
    return False


def _take(request: HttpRequest, header: str) -> str:
    """Take a token out of a request, '' for none: a report of an error shows the rest of META to
    whoever gets it (SafeExceptionReporterFilter), and a token is good for whoever has it. What
    takes its place is not, and differs as it does, for caches whose pages vary by it."""
    key = contract.environ_key(header)
    token = str(request.META.pop(key, ""))
    if token:
        request.META[key] = salted_hmac(_SALT, token, algorithm="sha256").hexdigest()
    forget(request)
    return token


def _set_apart(request: HttpRequest, whose: str = "") -> None:
    """Give what follows a session cookie that no client has: of one user, or of this request alone.

    By the cookies that came, or none, Django's cache would find the page of who was there before,
    or keep this one for who comes next (_generate_cache_key). ``request.COOKIES`` is read by now,
    and stays: CSRF is checked by it, and cookies are deleted.
    """
    came = request.META.get("HTTP_COOKIE")
    own = f"{settings.SESSION_COOKIE_NAME}={whose or get_random_string(32)}"
    request.META["HTTP_COOKIE"] = f"{came}; {own}" if came else own
    forget(request)


def _set_user(request: HttpRequest, user: Any) -> None:
    """For both ways to ask; Django 5.2's login() forgets the second."""
    found = user or AnonymousUser()

    async def auser() -> Any:
        return found

    request.user, request.auser = found, auser
