"""The views, links, storage and fields around ``sendfile``."""

from __future__ import annotations

import logging
import subprocess
import sys
from asyncio import Future
from datetime import timedelta
from gzip import GzipFile, compress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ImproperlyConfigured, PermissionDenied, SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, InMemoryStorage, Storage
from django.db import models
from django.forms import modelform_factory
from django.http import Http404
from django.test import RequestFactory
from django.urls import path, reverse
from rest_framework.serializers import ModelSerializer

from django_deploykit.sendfile import file_denied, file_served, files, links, sendfile
from django_deploykit.sendfile.fields import ProtectedFileField, ProtectedImageField
from django_deploykit.sendfile.storage import ProtectedStorage
from django_deploykit.views import (
    ProtectedFileView,
    ProtectedObjectFileView,
    ProtectedStorageFileView,
)
from tests.sendfile.asking import body, saved_name
from tests.sendfile.conftest import CONTENT

HOUR = timedelta(hours=1)
USER = SimpleNamespace(pk=7, is_authenticated=True)


def ask(
    view: type[ProtectedFileView],
    url: str = "/file/",
    user: Any = USER,
    host: str = "testserver",
    **kwargs: Any,
) -> Any:
    request = RequestFactory().get(url, headers={"Host": host})
    request.user = user
    return view.as_view()(request, **kwargs)


class Report(ProtectedFileView):
    """A view whose permission is what a test says."""

    allowed = True

    def has_file_permission(self, request: Any) -> bool:
        return self.allowed

    def get_file(self) -> str:
        return "report.txt"


class Refused(Report):
    allowed = False

    def get_file(self) -> str:
        raise AssertionError("nobody asks for the file before permission is given")


class Nobody(ProtectedFileView):
    def get_file(self) -> str:
        return "report.txt"


def test_nobody_is_allowed_until_a_view_says_so(private: Path) -> None:
    """The default is to refuse."""
    with pytest.raises(PermissionDenied):
        ask(Nobody)


def test_a_view_sends(private: Path) -> None:
    """With permission, the file is sent as ``sendfile`` does."""
    answer = ask(Report)
    assert (answer.status_code, body(answer)) == (200, CONTENT)
    answer.close()


def test_s17_permission_comes_before_the_file(private: Path) -> None:
    """S17: whoever may not have the file is refused before anybody looks for it."""
    with pytest.raises(PermissionDenied):
        ask(Refused)
    login = ask(Refused, user=AnonymousUser())
    assert (login.status_code, login.url) == (302, "/accounts/login/?next=/file/")
    with pytest.raises(PermissionDenied):  # Where a project has no users, nobody can log in.
        ask(Refused, user=None)
    hidden = type("Hidden", (Refused,), {"missing_is_404": True})
    with pytest.raises(Http404, match="There is no such file"):
        ask(hidden)


@pytest.mark.parametrize("user", [USER, AnonymousUser()], ids=["somebody", "nobody"])
def test_s17_an_access_mixin_does_not_tell_what_is_there(private: Path, user: Any) -> None:
    """S17: Django's mixins answer by a method of the same name, which knows of no 404."""
    hidden = type("Hidden", (LoginRequiredMixin, Refused), {"missing_is_404": True})
    if user is USER:
        with pytest.raises(Http404, match="There is no such file"):
            ask(hidden)
    else:  # Told before anybody asks which file it is.
        assert ask(hidden, user=user).url == "/accounts/login/?next=/file/"


class Later(Report):
    """A view whose author took it for an asynchronous one."""

    async def has_file_permission(self, request: Any) -> bool:  # type: ignore[override]
        return False


def test_s17_a_permission_that_is_not_awaited_is_none(private: Path) -> None:
    """S17: a coroutine would be as good as True; nobody gets the file, and its author is told."""
    with pytest.raises(TypeError, match=r"Later\.has_file_permission\(\) returned <coroutine"):
        ask(Later)


class Unsure(Report):
    """A view whose answer is a future, which cannot be closed."""

    def has_file_permission(self, request: Any) -> Any:
        return Future(loop=SimpleNamespace(get_debug=lambda: False))  # type: ignore[arg-type]


def test_s17_nor_is_a_future(private: Path) -> None:
    """S17: whatever could be awaited is refused."""
    with pytest.raises(TypeError, match="returned <Future"):
        ask(Unsure)


def test_an_unwritten_view_is_a_mistake(private: Path) -> None:
    """A view that allows, but names no file, says so."""
    view = type("Unwritten", (ProtectedFileView,), {"has_file_permission": lambda *_: True})
    with pytest.raises(NotImplementedError, match="Unwritten has no get_file"):
        ask(view)


def test_signals_tell_of_both(private: Path) -> None:
    """An application can count what was sent, by whom, and what was refused."""
    told: list[Any] = []

    def write_down(sender: Any, **found: Any) -> None:
        told.append(found.get("backend", "denied"))

    for signal in (file_served, file_denied):
        signal.connect(write_down)
    try:
        ask(Report).close()
        with pytest.raises(PermissionDenied):
            ask(Refused)
        with pytest.raises(PermissionDenied):
            ask(Linked, "/file/?signed=x")
    finally:
        for signal in (file_served, file_denied):
            signal.disconnect(write_down)
    assert told == ["stream", "denied", "denied"]


class Linked(Refused):
    """A view whose links are permission enough."""

    signed_links = True

    def get_file(self) -> str:
        return "report.txt"


def test_s22_a_link_is_permission(private: Path) -> None:
    """S22: for this path, under this name, for a while."""
    url = links.signed("/file/", expires=HOUR, filename="Bericht ü.txt")
    answer = ask(Linked, url, AnonymousUser())
    assert saved_name(answer["Content-Disposition"]) == "Bericht ü.txt"
    answer.close()
    with pytest.raises(PermissionDenied):
        ask(Refused, url)  # A view that has no links.


@pytest.mark.parametrize("name", ["a b.txt", "ü.txt", "a%2Fb.txt", "100%.txt", "a+b;c.txt"])
def test_s22_a_link_to_any_name(private: Path, name: str) -> None:
    """S22: blanks and letters of any language: what ``reverse()`` encodes is one path."""
    url = links.signed(reverse("linked", args=[name]), expires=HOUR)
    assert url.isascii()
    answer = ask(Linked, url, AnonymousUser(), path=name)
    assert body(answer) == CONTENT
    answer.close()
    with pytest.raises(PermissionDenied):
        ask(Linked, url.replace(".txt", ".text"), AnonymousUser())


@pytest.mark.parametrize("user", [AnonymousUser(), User(username="new")], ids=["nobody", "unsaved"])
def test_s22_a_link_for_a_user_who_is_none_is_a_mistake(user: Any) -> None:
    """S22: bound to somebody without a key, it would be everybody's."""
    with pytest.raises(ValueError, match="has no primary key"):
        links.signed("/file/", expires=HOUR, user=user)


def test_s22_a_link_for_one_host(private: Path, settings: Any) -> None:
    """S22: elsewhere the same path may be another customer's file; without a host it holds there
    too, as it has to where a site has several names."""
    settings.ALLOWED_HOSTS = [".example.com"]
    bound = links.signed("/file/", expires=HOUR, host="a.example.com")
    free = links.signed("/file/", expires=HOUR)
    for url, host in ((bound, "a.example.com"), (free, "a.example.com"), (free, "b.example.com")):
        ask(Linked, url, host=host).close()
    for host in ("b.example.com", "a.example.com:8080", "example.com"):
        with pytest.raises(PermissionDenied):
            ask(Linked, bound, host=host)


def test_s22_each_byte_of_a_link_counts(private: Path) -> None:
    """S22: a changed byte, another path, another user, another age: refused."""
    url = links.signed("/file/", expires=HOUR, user=USER)
    ask(Linked, url).close()
    start = url.index("=") + 1
    for place in range(start, len(url)):
        changed = url[:place] + ("A" if url[place] != "A" else "B") + url[place + 1 :]
        if changed.rstrip("AEIMQUYcgkosw048") != url.rstrip("AEIMQUYcgkosw048"):
            with pytest.raises(PermissionDenied):
                ask(Linked, changed)
    for wrong in (url.replace("/file/", "/other/"), url[:start], f"{url[:start]}x"):
        with pytest.raises(PermissionDenied):
            ask(Linked, wrong)
    for other in (SimpleNamespace(pk=8, is_authenticated=True), AnonymousUser()):
        with pytest.raises(PermissionDenied):
            ask(Linked, url, other)


def test_s24_no_log_has_a_link(private: Path, caplog: pytest.LogCaptureFixture) -> None:
    """S24: what lets anybody in is not written down, be it right or wrong."""
    url = links.signed("/file/", expires=HOUR)
    with caplog.at_level(logging.DEBUG):
        ask(Linked, url).close()
        with pytest.raises(PermissionDenied) as refused:
            ask(Linked, f"{url}x")
    token = url.partition("=")[2]
    said = [record.getMessage() for record in caplog.records]
    assert not [text for text in (*said, str(refused.value)) if token in text]


def test_s22_a_link_expires(private: Path) -> None:
    """S22: after its time it is worth nothing."""
    with pytest.raises(PermissionDenied):
        ask(Linked, links.signed("/file/", expires=timedelta(seconds=-1)))


def test_s22_no_other_signature_is_a_link(private: Path) -> None:
    """S22: what the site signs for other purposes opens no file."""
    from django.core import signing

    claims = {"path": "/file/", "name": "", "for": "", "last": 3600}
    with pytest.raises(PermissionDenied):
        ask(Linked, f"/file/?signed={signing.TimestampSigner().sign_object(claims)}")


class Thing(models.Model):
    """A model with a protected file."""

    file = ProtectedFileField()
    image = ProtectedImageField()

    class Meta:
        app_label = "tests"

    def __str__(self) -> str:
        return str(self.file)


def test_fields_keep_their_files_in_the_protected_directory(private: Path) -> None:
    """A protected field takes the only directory, and gives its files no URL."""
    thing = Thing(file="report.txt", image="report.txt")
    for field in (thing.file, thing.image):
        assert field.path == str(private / "report.txt")
        with pytest.raises(ValueError, match="has no URL"):
            _ = field.url
    answer: Any = sendfile(RequestFactory().get("/"), thing.file)
    assert body(answer) == CONTENT
    answer.close()
    for empty in ("", "missing.txt", "../secret.txt"):
        with pytest.raises(Http404):
            sendfile(RequestFactory().get("/"), Thing(file=empty).file)


def test_forms_and_serializers_do_without_a_url(private: Path) -> None:
    """What Django and REST framework make of a model shows no link, and is no error."""
    thing, names = Thing(file="report.txt", image="report.txt"), ["file", "image"]
    form = modelform_factory(Thing, fields=names)(instance=thing).as_p()
    assert form.count('type="file"') == 2
    assert "href" not in form
    meta = type("Meta", (), {"model": Thing, "fields": names})
    serializer: Any = type("Things", (ModelSerializer,), {"Meta": meta})
    assert serializer(thing).data == {"file": None, "image": None}


def test_a_migration_holds_no_path(private: Path) -> None:
    """A field is written down with the name of its storage, not with a directory."""
    _, name, _, written = Thing._meta.get_field("file").deconstruct()
    assert name == "django_deploykit.sendfile.fields.ProtectedFileField"
    assert written["storage"].__name__ == "protected_storage"


def test_an_alias_decides_where_there_is_one(private: Path, settings: Any) -> None:
    """STORAGES["protected"] comes before the only directory."""
    settings.STORAGES = {
        **settings.STORAGES,
        "protected": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    }
    assert isinstance(ProtectedFileField().storage, InMemoryStorage)


def test_several_directories_need_a_choice(private: Path, settings: Any) -> None:
    """Nobody guesses which of two is meant."""
    settings.DEPLOYKIT = {"SITE": {"PROTECTED": {"/a/": "/srv/a", "/b/": "/srv/b"}}}
    with pytest.raises(ImproperlyConfigured, match="names 2 directories"):
        _ = ProtectedStorage().location
    assert ProtectedStorage("/srv/b").location == "/srv/b"


def test_a_storage_knows_the_view(private: Path) -> None:
    """With the name of a view, a file has that view's URL."""
    assert ProtectedStorage(url_name="send").url("a b.txt") == "/files/a%20b.txt"


urlpatterns = [
    path("files/<path:path>", Report.as_view(), name="send"),
    path("linked/<path:path>", Linked.as_view(), name="linked"),
]


@pytest.fixture(autouse=True)
def _urls(settings: Any, private: Path) -> None:
    settings.ROOT_URLCONF = __name__


def test_new_files_are_not_for_everybody(private: Path) -> None:
    """What is stored is for the site's own user and group."""
    storage = ProtectedStorage()
    storage.save("deep/new.txt", ContentFile(b"x"))
    modes = [oct((private / name).stat().st_mode)[-3:] for name in ("deep", "deep/new.txt")]
    assert modes == ["750", "640"]


class Stored(ProtectedStorageFileView):
    storage = "default"

    def has_file_permission(self, request: Any) -> bool:
        return True


def test_a_view_of_a_storage(private: Path, settings: Any, tmp_path: Path) -> None:
    """A file by its name in a storage, wherever that keeps it."""
    where: dict[str, Any] = {"location": str(private)}
    file_system = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": where}
    settings.STORAGES = {**settings.STORAGES, "default": file_system}
    answer = ask(Stored, path="report.txt")
    assert body(answer) == CONTENT
    answer.close()
    for name in ("missing", "../secret.txt", "/etc/hostname"):
        with pytest.raises(Http404):
            ask(Stored, path=name)


def test_s1_a_storage_is_confined_to_its_own_directory(private: Path) -> None:
    """S1: a link from a storage's directory into another protected one is not followed."""
    (private / "mine").mkdir()
    (private / "mine" / "link").symlink_to(private / "report.txt")
    with pytest.raises(Http404):
        sendfile(RequestFactory().get("/"), (FileSystemStorage(private / "mine"), "link"))


def test_a_storage_may_keep_its_files_in_a_part_of_a_protected_directory(private: Path) -> None:
    """Its own directory need not be one of SITE["PROTECTED"]."""
    (private / "mine").mkdir()
    (private / "mine" / "file").write_bytes(b"mine")
    answer: Any = sendfile(RequestFactory().get("/"), (FileSystemStorage(private / "mine"), "file"))
    assert body(answer) == b"mine"
    answer.close()


def test_a_storage_elsewhere_is_streamed(private: Path) -> None:
    """A storage without a directory: from Python, with ranges and validators all the same."""
    storage = InMemoryStorage()
    storage.save("far.txt", ContentFile(CONTENT))
    first: Any = sendfile(RequestFactory().get("/"), (storage, "far.txt"))
    assert body(first) == CONTENT
    part: Any = sendfile(RequestFactory().get("/", HTTP_RANGE="bytes=0-5"), (storage, "far.txt"))
    assert (part.status_code, body(part)) == (206, CONTENT[:6])
    again = RequestFactory().get("/", HTTP_IF_NONE_MATCH=first["ETag"])
    assert sendfile(again, (storage, "far.txt")).status_code == 304
    with pytest.raises(Http404):
        sendfile(RequestFactory().get("/"), (storage, "missing"))
    for answer in (first, part):
        answer.close()


class Packing(InMemoryStorage):
    """Unpacks what it reads, and knows the size of what it keeps, as django-storages does."""

    gzip = True

    def open(self, name: str, mode: str = "rb") -> Any:
        kept = super().open(name, mode)
        found = File(GzipFile(fileobj=kept))  # type: ignore[arg-type,type-var]
        found.size = kept.size
        return found


def test_a_storage_that_packs_is_read_to_the_end(private: Path) -> None:
    """The length is that of what is sent, however small it is where it is kept."""
    storage = Packing()
    storage.save("far.txt", ContentFile(compress(CONTENT)))
    first: Any = sendfile(RequestFactory().get("/"), (storage, "far.txt"))
    assert (body(first), first["Content-Length"]) == (CONTENT, str(len(CONTENT)))
    part: Any = sendfile(RequestFactory().get("/", HTTP_RANGE="bytes=-6"), (storage, "far.txt"))
    assert (part.status_code, body(part)) == (206, CONTENT[-6:])
    again = RequestFactory().get("/", HTTP_IF_NONE_MATCH=first["ETag"])
    assert sendfile(again, (storage, "far.txt")).status_code == 304
    for answer in (first, part):
        answer.close()


class Choosing(InMemoryStorage):
    """Packs some types alone, as django-storages does: of each file its object says so."""

    gzip = True

    def open(self, name: str, mode: str = "rb") -> Any:
        found: Any = super().open(name, mode)
        found.obj = SimpleNamespace(content_encoding=None)
        return found

    def url(self, name: str | None) -> str:
        return f"https://store.example/{name}"


def test_a_storage_that_packs_leaves_the_rest_as_it_is() -> None:
    """Nothing is read to know its size, and a server may fetch it."""
    storage = Choosing()
    storage.save("far.mp4", ContentFile(CONTENT))
    found = files._from_elsewhere(storage, "far.mp4")
    assert found.size == len(CONTENT)
    assert found.url
    assert found.url() == "https://store.example/far.mp4"


class Objects(ProtectedObjectFileView):
    model = Thing

    def has_file_permission(self, request: Any) -> bool:
        return bool(self.get_file_object())

    def get_object(self, queryset: Any = None) -> Any:
        if self.kwargs["pk"] != 1:
            raise Http404
        return Thing(file="report.txt")


def test_a_view_of_an_object(private: Path) -> None:
    """The file of an object; one that is not there is 404."""
    answer = ask(Objects, pk=1)
    assert body(answer) == CONTENT
    answer.close()
    with pytest.raises(Http404):
        ask(Objects, pk=2)


@pytest.mark.parametrize("kind", [FileSystemStorage, InMemoryStorage])
def test_suspicious_names_are_missing_ones(private: Path, kind: type[Storage]) -> None:
    """A storage calls them suspicious, and Django would answer 400: a difference that tells."""
    storage = kind(str(private))
    with pytest.raises(SuspiciousFileOperation):
        storage.open("../secret.txt")
    with pytest.raises(Http404):
        sendfile(RequestFactory().get("/"), (storage, "../secret.txt"))


def test_the_doors_open_without_accounts(tmp_path: Path) -> None:
    """A project without django.contrib.auth has the middleware and the views all the same."""
    script = (
        "from django.conf import settings; settings.configure(INSTALLED_APPS=[])\n"
        "import django; django.setup()\n"
        "from django_deploykit.middleware import SendfileMiddleware, TrustedProxyMiddleware\n"
        "from django_deploykit.views import ProtectedFileView\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
