"""Signing out, where the front has a session of its own."""

from __future__ import annotations

from urllib.parse import quote

from django.contrib.auth.views import LogoutView
from django.urls import get_script_prefix

from django_deploykit import sso


class ProxyLogoutView(LogoutView):
    """Django's LogoutView, which then goes to the front's sign-out.

    The page to come back to is ``next`` of the form, if it is on this host, else ``next_page`` or
    LOGOUT_REDIRECT_URL, else the site's first page. Where DEPLOYKIT["IDENTITY"]["SIGN_OUT"] is
    unset, a page says that the front still knows the user.
    """

    template_name = "django_deploykit/still_signed_in.html"

    def get_success_url(self) -> str:
        policy, _ = sso.configured()
        if policy is None or not policy.sign_out:
            return self.request.get_full_path()  # LogoutView then renders its page.
        page = super().get_success_url()
        if page == self.request.path:
            page = get_script_prefix()
        back = self.request.build_absolute_uri(page)
        return policy.sign_out.replace(sso.NEXT, quote(back, safe=""))
