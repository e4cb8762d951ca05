"""Let any WSGI application, Django's or not, see what trusted proxies say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django_deploykit.proxy.configured import ConfiguredDoor
from django_deploykit.proxy.decision import Refused
from django_deploykit.proxy.wsgi import refuse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def wrap(application: WSGIApplication) -> WSGIApplication:
    """Decide on every request by DEPLOYKIT["PROXY"] before ``application`` sees its environ.

    The decision stands in the environ, where TrustedProxyMiddleware finds it. Raise
    ImproperlyConfigured for a policy that makes no sense.
    """
    enter = ConfiguredDoor().wsgi

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            enter(environ)
        except Refused as refused:
            return refuse(refused, start_response)
        return application(environ, start_response)

    return answer
