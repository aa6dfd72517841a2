"""Serving the phone's page on this machine: http://localhost:PORT, where a browser trusts it as it does HTTPS.

Owns: which requests are answered at all.
Rules: GET and HEAD of exactly the page's files. Its keys belong to the address, so another name of this machine (or a
stranger's name that leads here) gets no page. Must not know: what is in the files.
"""

from http import HTTPStatus
from pathlib import PurePosixPath

from admit import phone_site
from admit.local_page import NAME, LocalHandler, LocalServer


class PhoneServer(LocalServer):
    """The page at `address`. `port` 0 is any free one. Raises Busy phone-port."""

    def __init__(self, port: int, gateway: str | None = None):
        self.content = phone_site.content(gateway)
        super().__init__(port, _Handler, phone_site.headers(gateway), "phone-port")


class _Handler(LocalHandler):
    server: PhoneServer

    def do_GET(self):
        self._answer(with_body=True)

    def do_HEAD(self):
        self._answer(with_body=False)

    def _answer(self, with_body: bool) -> None:
        if not self.is_asked_as(NAME):
            return self.send_error(HTTPStatus.MISDIRECTED_REQUEST, explain=f"the page is at {self.server.address}")
        name = self.file_name(phone_site.INDEX)
        body = self.server.content.get(name)
        if body is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        self.send_file(phone_site.TYPES[PurePosixPath(name).suffix], body, with_body)
