"""Serving the phone's page on this machine: http://localhost:PORT, where a browser trusts it as it does HTTPS.

Owns: the listening socket, which nobody else on the network reaches, and which requests are answered at all.
Rules: GET and HEAD of exactly the page's files. Its keys belong to the address, so another name of this machine (or a
stranger's name that leads here) gets no page. Must not know: what is in the files.
"""

import http.server
from http import HTTPStatus
from pathlib import PurePosixPath

from admit import phone_site

HOST = "127.0.0.1"
NAME = "localhost"
IDLE_S = 30  # that a connection may say nothing


class PhoneServer(http.server.ThreadingHTTPServer):
    """The page at `address`; `serve_forever` answers requests until `shutdown`. Raises OSError if the port is taken.

    `port` 0 is any free one.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, gateway: str | None = None):
        self.content = phone_site.content(gateway)
        self.headers = phone_site.headers(gateway)
        super().__init__((HOST, port), _Handler)
        self.address = f"http://{NAME}:{self.server_port}/"

    def handle_error(self, request, client_address):
        """A browser that went away in the middle is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: PhoneServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "admit", ""
    timeout = IDLE_S

    def do_GET(self):
        self._answer(with_body=True)

    def do_HEAD(self):
        self._answer(with_body=False)

    def _answer(self, with_body: bool) -> None:
        if self.headers.get("Host", "").lower() != f"{NAME}:{self.server.server_port}":
            return self.send_error(HTTPStatus.MISDIRECTED_REQUEST, explain=f"the page is at {self.server.address}")
        name = self.path.split("?")[0].removeprefix("/") or phone_site.INDEX
        body = self.server.content.get(name)  # a name as it stands: nothing is decoded, joined or looked for on disk
        if body is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", phone_site.TYPES[PurePosixPath(name).suffix])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def end_headers(self):
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        super().end_headers()

    def version_string(self):
        return self.server_version

    def log_message(self, *_):
        """Who loads what is nobody's business."""
