from __future__ import annotations

from django.urls import path

from shop import views

urlpatterns = [
    path("hello/", views.hello),
    path("page/", views.page),
    path("slow/", views.slow),
]
