"""Pages that say who the user is, each in one of the ways that projects ask."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.cache import cache_page
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.vary import vary_on_cookie
from rest_framework.authentication import RemoteUserAuthentication, SessionAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from django_deploykit.views import ProxyLogoutView


def who_is(request: HttpRequest) -> str:
    """The name of the user, '' for nobody."""
    return request.user.get_username()


def who(request: HttpRequest) -> HttpResponse:
    """The same, as a page."""
    return HttpResponse(who_is(request))


async def who_async(request: HttpRequest) -> HttpResponse:
    """The name by both ways to ask."""
    user = await request.auser()
    return HttpResponse(json.dumps([user.get_username(), request.user.get_username()]))


def basket(request: HttpRequest) -> JsonResponse:
    """Something that an anonymous session holds."""
    request.session.setdefault("basket", "apples")
    return JsonResponse(dict(request.session))


class Api(APIView):
    """REST framework's own idea of the user."""

    authentication_classes: Any = [SessionAuthentication]

    def get(self, request: Request) -> Response:
        return Response(request.user.get_username())

    post = get


class RemoteApi(Api):
    """REST framework's RemoteUserAuthentication, which asks every backend by a bare name."""

    authentication_classes = [RemoteUserAuthentication]


urlpatterns = [
    path("", who),
    path("exempt/", csrf_exempt(who)),
    path("async/", who_async),
    path("cached/", cache_page(60)(vary_on_cookie(who))),
    path("basket/", basket),
    path("api/", Api.as_view()),
    path("remote-api/", RemoteApi.as_view()),
    path("login/", LoginView.as_view(template_name="none.html")),
    path("logout/", ProxyLogoutView.as_view()),
    path("logout/home/", ProxyLogoutView.as_view(next_page="/home/")),
]
