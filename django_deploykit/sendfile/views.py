"""Views that ask for permission, then send a file."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.core.files.storage import storages
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views import View
from django.views.generic.detail import SingleObjectMixin

from django_deploykit.sendfile import links, sendfile
from django_deploykit.sendfile.roots import MISSING
from django_deploykit.sendfile.signals import file_denied


class ProtectedFileView(View):
    """Sends the file that ``get_file`` names, to whom ``has_file_permission`` lets: to nobody,
    until a subclass says otherwise.

    ``attachment``      False lets a browser show what runs nothing
    ``mimetype``        the type, where the name does not tell it
    ``signed_links``    a link of ``links.signed()`` is permission enough
    ``missing_is_404``  answer those without permission as if there was nothing
    """

    http_method_names = ("get", "head", "options")
    attachment = True
    mimetype: str | None = None
    signed_links = False
    missing_is_404 = False

    def get_file(self) -> Any:
        """The file: a path, a FieldFile, a pair of storage and name, or an open storage file."""
        raise NotImplementedError(f"{type(self).__name__} has no get_file().")

    def has_file_permission(self, request: HttpRequest) -> bool:
        """Tell whether this request may have the file. Nobody is asked whether it exists."""
        return False

    def get_download_name(self) -> str | None:
        """The name under which the file is saved; None for its own."""
        return None

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.signed_links and links.is_signed(request):
            name: str | None = self._name_in_link(request) or self.get_download_name()
        elif self._is_permitted(request):
            name = self.get_download_name()
        else:
            return self._refuse(request)
        return sendfile(request, self.get_file(), self.attachment, name, self.mimetype)

    def _name_in_link(self, request: HttpRequest) -> str:
        try:
            return links.filename(request)
        except PermissionDenied:
            self._tell_of_refusal(request)
            raise

    def _refuse(self, request: HttpRequest) -> HttpResponseBase:
        self._tell_of_refusal(request)
        if self.missing_is_404:  # Here: an access mixin brings a handle_no_permission() of its own.
            raise Http404(MISSING)
        return self.handle_no_permission()

    def _tell_of_refusal(self, request: HttpRequest) -> None:
        file_denied.send(sender=type(self), request=request, view=self)

    def _is_permitted(self, request: HttpRequest) -> bool:
        """The answer of ``has_file_permission``, unless it would have to be awaited."""
        answer: object = self.has_file_permission(request)
        if inspect.isawaitable(answer):  # It would be true.
            if inspect.iscoroutine(answer):
                answer.close()
            raise TypeError(
                f"{type(self).__name__}.has_file_permission() returned {answer!r}; it returns True "
                "or False. Write it without async: what is asynchronous can be awaited by "
                "asgiref.sync.async_to_sync."
            )
        return bool(answer)

    def handle_no_permission(self) -> HttpResponseBase:
        """The login page for whoever has not logged in, and 403 for everybody else."""
        user = getattr(self.request, "user", None)
        if user is None or user.is_authenticated:
            raise PermissionDenied
        # Only here: it needs django.contrib.auth, which not every project has.
        from django.contrib.auth.views import redirect_to_login

        return redirect_to_login(self.request.get_full_path())


if TYPE_CHECKING:
    _SingleObject = SingleObjectMixin[Any]
else:
    _SingleObject = SingleObjectMixin


class ProtectedObjectFileView(_SingleObject, ProtectedFileView):
    """Sends the file of an object. Who may not see the object by ``get_queryset`` gets 404."""

    file_field = "file"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self._object: Any = None

    def get_file_object(self) -> Any:
        """The object, looked up once."""
        if self._object is None:
            self._object = self.get_object()
        return self._object

    def get_file(self) -> Any:
        return getattr(self.get_file_object(), self.file_field)


class ProtectedStorageFileView(ProtectedFileView):
    """Sends a file of ``storage``, an alias of STORAGES, by the ``path`` in its URL."""

    storage = "protected"

    def get_file(self) -> Any:
        return storages[self.storage], self.kwargs["path"]
