"""The URLs of the library."""

from __future__ import annotations

from django.urls import path

from library import diagnostics, views

app_name = "library"

urlpatterns = [
    path("", views.HomeView.as_view(), name="home"),
    path("counter/", views.counter, name="counter"),
    path("documents/", views.DocumentListView.as_view(), name="documents"),
    path("documents/<int:pk>/", views.DocumentDetailView.as_view(), name="document"),
    path("documents/<int:pk>/download/", views.DocumentFileView.as_view(), name="download"),
    path("upload/", views.UploadView.as_view(), name="upload"),
    path("upload/raw/", diagnostics.upload_raw, name="upload_raw"),
    path("echo/<path:rest>", diagnostics.echo, name="echo"),
    path("redirect/", diagnostics.to_whoami, name="redirect"),
    path("slow/", diagnostics.slow, name="slow"),
    path("stream/", diagnostics.stream, name="stream"),
    path("whoami/", diagnostics.whoami, name="whoami"),
]
