"""Settings of the example project; README.md lists the environment variables they read."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import environ
from django.core.management.utils import get_random_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env(
    ALLOWED_HOSTS=(list, ["localhost", "127.0.0.1", "[::1]"]),
    DATA_DIR=(str, "var"),
    DEBUG=(bool, False),
    EXAMPLE_ENVIRON=(dict, {}),
    EXAMPLE_ENV_FILE=(str, None),
    FORCE_SCRIPT_NAME=(str, None),
    SECRET_KEY=(str, ""),
    WHOAMI_PUBLIC=(bool, False),
)
ENV_FILE = BASE_DIR / env("EXAMPLE_ENV_FILE") if env("EXAMPLE_ENV_FILE") else None
if ENV_FILE:
    # Opened here, because read_env() passes over a file that it cannot read.
    with ENV_FILE.open(encoding="utf-8") as lines:
        env.read_env(lines)

# Everything that is made while the site runs lies here, never beside the code.
DATA_DIR = BASE_DIR / env("DATA_DIR")


def secret_key() -> str:
    """Return the key from the environment, else from the file that demo_data makes."""
    if key := env("SECRET_KEY"):
        return str(key)
    try:
        return (DATA_DIR / "secret_key").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        # Django raises ImproperlyConfigured as soon as an empty key is used, which is after
        # demo_data had its chance to make one.
        return get_random_secret_key() if DEBUG else ""


DEBUG = env("DEBUG")
SECRET_KEY = secret_key()
ALLOWED_HOSTS = env("ALLOWED_HOSTS")
FORCE_SCRIPT_NAME = env("FORCE_SCRIPT_NAME")

ROOT_URLCONF = "example.urls"
WSGI_APPLICATION = "example.wsgi.application"
ASGI_APPLICATION = "example.asgi.application"

INSTALLED_APPS = [
    "library",
    "django_deploykit",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    # First: what comes after it sees the client, and nothing that a client made up.
    "django_deploykit.middleware.TrustedProxyMiddleware",
    # Next, so that nothing changes a document's response once the web server is to send it.
    "django_deploykit.middleware.SendfileMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

_sqlite = quote(str(DATA_DIR / "database" / "example.sqlite3"))
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{_sqlite}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Several processes write: take the lock when a transaction begins, and wait for it.
    DATABASES["default"]["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 20}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Names, not paths: they stay right under any URL prefix.
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "library:home"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# Under a prefix, the cookies are no business of the host's other sites.
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = FORCE_SCRIPT_NAME or "/"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"

# Relative: Django puts the prefix in front.
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
WHITENOISE_ROOT = BASE_DIR / "root_files"
MEDIA_URL = "media/"
MEDIA_ROOT = DATA_DIR / "media"
# The web server, which may be another user, reads what is uploaded.
FILE_UPLOAD_PERMISSIONS = 0o644
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o755

# Outside of MEDIA_ROOT: Django decides for each request who may read a document. The URL is the
# web server's internal name of the directory, no client reaches it.
DOCUMENTS_URL = "/documents/files/"
DOCUMENTS_ROOT = DATA_DIR / "documents"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    "documents": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": DOCUMENTS_ROOT,
            "base_url": DOCUMENTS_URL,
            "file_permissions_mode": 0o640,
            "directory_permissions_mode": 0o750,
        },
    },
}

# Without DEBUG, Django would only mail errors; a server's log is where they are looked for.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}

# Opens whoami/ to everybody: for the tests, never on the network.
WHOAMI_PUBLIC = env("WHOAMI_PUBLIC")

DEPLOYKIT = {
    "SITE": {
        "NAME": "example",
        "MEDIA": "public",
        "PROTECTED": {DOCUMENTS_URL: DOCUMENTS_ROOT},
        "ENV_FILE": ENV_FILE,
        "ENVIRON": env("EXAMPLE_ENVIRON"),
    },
}
