"""Uploads, which anybody may read, and documents, which only some may."""

from __future__ import annotations

from pathlib import PurePath

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group
from django.core.files.storage import Storage, storages
from django.core.validators import FileExtensionValidator
from django.db import models
from django.urls import reverse

# The web server hands uploads to anybody: nothing that a browser would run as this site's.
HARMLESS = ["bin", "csv", "gif", "jpeg", "jpg", "pdf", "png", "txt", "webp", "zip"]


def document_storage() -> Storage:
    """Return the storage of the documents, which settings may differ about."""
    return storages["documents"]


class Upload(models.Model):
    """A public file."""

    file = models.FileField(
        upload_to="uploads/", max_length=255, validators=[FileExtensionValidator(HARMLESS)]
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return str(self.file.name)


class DocumentQuerySet(models.QuerySet["Document"]):
    """Documents, by who asks for them."""

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> DocumentQuerySet:
        """Keep what ``user`` owns or shares a group with; a superuser sees everything."""
        if not user.is_authenticated:
            return self.none()
        if user.is_superuser:
            return self
        return self.filter(models.Q(owner=user) | models.Q(group__in=user.groups.all()))


class Document(models.Model):
    """A private file with an owner, and perhaps a group that may read it too."""

    title = models.CharField(max_length=200)
    file = models.FileField(storage=document_storage, max_length=255)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    group = models.ForeignKey(Group, on_delete=models.SET_NULL, null=True, blank=True)

    objects = DocumentQuerySet.as_manager()

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("library:document", args=[self.pk])

    @property
    def filename(self) -> str:
        """The name under which the file is downloaded."""
        return PurePath(str(self.file.name)).name
