"""A trivial view, a page with a template and three queries, and one that waits."""

from __future__ import annotations

import time

from django.db.models import Avg
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from shop.models import Category, Product

WAIT_SECONDS = 0.05


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Hello, world!")


def page(request: HttpRequest) -> HttpResponse:
    context = {
        "categories": Category.objects.order_by("name"),
        "products": Product.objects.select_related("category").order_by("name")[:20],
        "average": Product.objects.aggregate(Avg("price"))["price__avg"],
    }
    return render(request, "shop/page.html", context)


def slow(request: HttpRequest) -> HttpResponse:
    time.sleep(WAIT_SECONDS)
    return HttpResponse("done")
