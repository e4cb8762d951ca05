"""URLs of a site that shows what it makes of its prefix."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from django.contrib import admin, messages
from django.contrib.auth.decorators import login_required
from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.templatetags.static import PrefixNode, static
from django.urls import path, reverse
from django.views.i18n import set_language


def urls(request: HttpRequest) -> JsonResponse:
    """Every kind of URL that Django makes."""
    return JsonResponse(
        {
            "reverse": reverse("urls"),
            "static": static("site.css"),
            "static prefix": PrefixNode.handle_simple("STATIC_URL"),
            "media": default_storage.url("a.jpg"),
            "media prefix": PrefixNode.handle_simple("MEDIA_URL"),
            "path": request.path,
            "path_info": request.path_info,
            "script_name": request.META["SCRIPT_NAME"],
            "absolute": request.build_absolute_uri(),
        }
    )


async def urls_async(request: HttpRequest) -> JsonResponse:
    return urls(request)


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """A body that is made while it is sent."""

    def lines() -> Iterator[str]:
        for _ in range(3):
            yield f"{reverse('urls')} {static('site.css')}\n"

    async def lines_async() -> AsyncIterator[str]:
        for line in lines():
            yield line

    is_async = hasattr(request, "scope")
    return StreamingHttpResponse(lines_async() if is_async else lines())


def cookies(request: HttpRequest) -> HttpResponse:
    """Set all of Django's cookies, and one of the site's."""
    request.session["seen"] = True
    get_token(request)
    messages.info(request, "hello")
    response = HttpResponse()
    response.set_cookie("own", "1")
    response.set_cookie("__Host-own", "1")
    return response


def forget(request: HttpRequest) -> HttpResponse:
    """End the session, whose cookie is then deleted."""
    request.session.flush()
    return HttpResponse()


def anything(request: HttpRequest, rest: str) -> HttpResponse:
    """What takes every path."""
    return JsonResponse({"rest": rest, "path": request.path})


urlpatterns = [
    path("urls/", urls, name="urls"),
    path("async/", urls_async),
    path("stream/", stream),
    path("cookies/", cookies),
    path("forget/", forget),
    path("redirect/", lambda request: redirect("urls")),
    path("private/", login_required(urls)),
    path("language/", set_language),
    path("admin/", admin.site.urls),
    path("any/<path:rest>", anything),
]
