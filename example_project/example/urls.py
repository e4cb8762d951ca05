"""The URLs of the example project."""

from __future__ import annotations

from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

urlpatterns = [
    path("", include("library.urls")),
    path("admin/", admin.site.urls),
    path("login/", LoginView.as_view(template_name="library/login.html"), name="login"),
    path("logout/", LogoutView.as_view(template_name="library/logged_out.html"), name="logout"),
    # With DEBUG only. Not MEDIA_URL, to which Django has already added the URL prefix.
    *static("media/", document_root=settings.MEDIA_ROOT),
]
