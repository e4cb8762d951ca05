"""A client that keeps cookies, follows the site's forms, and signs in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from tests.servers.harness import PASSWORD, Response, Server


@dataclass
class Visitor:
    """One visitor of one server."""

    server: Server
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, *headers: tuple[str, str], method: str = "GET") -> Response:
        return self._keep(self.server.get(path, *headers, self._cookie(), method=method))

    def post(self, path: str, fields: dict[str, str]) -> Response:
        """Post a form with the token of the page at the same path."""
        self.get(path)
        body = urlencode({**fields, "csrfmiddlewaretoken": self.cookies["csrftoken"]}).encode()
        return self._post(path, body, "application/x-www-form-urlencoded")

    def upload(self, path: str, filename: str, content: bytes) -> Response:
        """Post a file as a browser does (RFC 7578; the name is raw UTF-8)."""
        self.get(path)
        mark = "----boundary"
        parts = [
            f'--{mark}\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n'
            f"{self.cookies['csrftoken']}\r\n",
            f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
            "Content-Type: text/plain\r\n\r\n",
        ]
        body = "".join(parts).encode() + content + f"\r\n--{mark}--\r\n".encode()
        return self._post(path, body, f"multipart/form-data; boundary={mark}")

    def sign_in(self, name: str) -> Response:
        return self.post("/login/", {"username": name, "password": PASSWORD})

    def return_as(self, name: str, sessions: dict[str, str]) -> None:
        """Be a user who signed in to some site of this project before: one hash for all of them."""
        if name not in sessions:
            self.sign_in(name)
            sessions[name] = self.cookies["sessionid"]
        self.cookies["sessionid"] = sessions[name]

    def _post(self, path: str, body: bytes, kind: str) -> Response:
        headers = ("Content-Type", kind), self._cookie()
        return self._keep(self.server.post(path, body, *headers))

    def _cookie(self) -> tuple[str, str]:
        return "Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def _keep(self, response: Response) -> Response:
        for line in response.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return response


def links(page: str, attribute: str = "href") -> list[str]:
    """The values of an attribute in a page, in order."""
    return re.findall(rf'{attribute}="([^"]+)"', page)
