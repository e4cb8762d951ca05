"""The forms of the library."""

from __future__ import annotations

from django import forms

from library.models import Upload


class UploadForm(forms.ModelForm):
    """One file for everybody."""

    class Meta:
        model = Upload
        fields = ["file"]
