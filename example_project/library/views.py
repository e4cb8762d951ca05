"""The pages that people use."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.messages.views import SuccessMessageMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django.views.generic import CreateView, DetailView, ListView, TemplateView

from django_deploykit.views import ProtectedObjectFileView
from library.forms import UploadForm
from library.models import Document, DocumentQuerySet, Upload

SHOWN_UPLOADS = 50


class HomeView(TemplateView):
    """The list of pages."""

    template_name = "library/home.html"


class UploadView(LoginRequiredMixin, SuccessMessageMixin, CreateView):
    """The form for a new upload, above the latest ones."""

    form_class = UploadForm
    template_name = "library/upload.html"
    success_url = reverse_lazy("library:upload")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(uploads=Upload.objects.all()[:SHOWN_UPLOADS], **kwargs)

    def get_success_message(self, cleaned_data: dict[str, Any]) -> str:
        # Storage may have changed the name: a second file.txt is stored as file_x1y2z3a.txt.
        return f"Stored as {self.object.file.name}"


class VisibleDocumentsMixin(LoginRequiredMixin):
    """Only the documents that the user may read exist for a view."""

    def get_queryset(self) -> DocumentQuerySet:
        return Document.objects.visible_to(self.request.user)


class DocumentListView(VisibleDocumentsMixin, ListView):
    """The user's documents."""


class DocumentDetailView(VisibleDocumentsMixin, DetailView):
    """One document, with the link that downloads it."""


class DocumentFileView(VisibleDocumentsMixin, ProtectedObjectFileView):
    """The file of a document; to whoever may not read it, it does not exist."""

    def has_file_permission(self, request: HttpRequest) -> bool:
        return self.get_file_object() is not None  # 404 for what get_queryset leaves out


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def counter(request: HttpRequest) -> HttpResponse:
    """Count the presses of a button in the session."""
    count = request.session.get("count", 0)
    if request.method == "POST":
        request.session["count"] = count + 1
        return redirect("library:counter")
    return render(request, "library/counter.html", {"count": count})
