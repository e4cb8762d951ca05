"""Users as some projects have them."""

from __future__ import annotations

import uuid
from contextvars import ContextVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.db import models


class MemberManager(BaseUserManager["Member"]):
    """Names are found whatever their case, as many projects do it."""

    def get_by_natural_key(self, username: str | None) -> Member:
        return self.get(email__iexact=username)

    def create_user(self, email: str, password: str) -> Member:
        made = self.model(email=email)
        made.set_password(password)
        made.save()
        return made


class Member(AbstractBaseUser):
    """An e-mail address for a name, no groups, no permissions, nobody inactive, a UUID."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    email = models.EmailField(unique=True)

    USERNAME_FIELD = "email"
    objects = MemberManager()

    class Meta:
        app_label = "people"

    def __str__(self) -> str:
        return self.email


class Truthful(AbstractUser):
    """A model whose check_password() says yes in its own words."""

    groups = models.ManyToManyField("auth.Group", related_name="+")
    user_permissions = models.ManyToManyField("auth.Permission", related_name="+")

    class Meta:
        app_label = "people"

    def check_password(self, raw_password: str) -> bool:
        return "yes" if super().check_password(raw_password) else ""  # type: ignore[return-value]


# Whom the request is for, as middleware of a project with tenants says it.
tenant: ContextVar[str] = ContextVar("tenant", default="")


class TenantsManager(BaseUserManager["Resident"]):
    """Knows those of one tenant, as a router or a schema of the database has it."""

    def get_queryset(self) -> models.QuerySet[Resident]:
        return super().get_queryset().filter(tenant=tenant.get())


class Resident(AbstractBaseUser):
    """A user of one tenant, whose name somebody may have at another, too."""

    tenant = models.CharField(max_length=50)
    name = models.CharField(max_length=50)

    USERNAME_FIELD = "name"
    objects = TenantsManager()

    class Meta:
        app_label = "people"

    def __str__(self) -> str:
        return self.name
