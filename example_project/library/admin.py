"""The library in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.db import models
from django.forms import FileInput

from library.models import Document, Upload


@admin.register(Upload)
class UploadAdmin(admin.ModelAdmin):
    list_display = ["file", "created"]


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin):
    list_display = ["title", "owner", "group"]
    list_filter = ["group"]
    # The usual widget links to the file's URL, which no client may reach.
    formfield_overrides = {models.FileField: {"widget": FileInput}}
