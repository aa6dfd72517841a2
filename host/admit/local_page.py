"""Pages of programs on this machine: a listening socket that nobody else on the network reaches, and plain answers.

Owns: how such a server is made, runs beside its program, and ends. Rules: names as they stand, nothing decoded, joined
or looked for on disk; nobody's visit is logged. Must not know: what the pages are, and who may see them.
"""

import contextlib
import errno
import http.server
import threading
from collections.abc import Iterator, Mapping
from http import HTTPStatus

from admit_protocol.errors import Busy

HOST = "127.0.0.1"
NAME = "localhost"
IDLE_S = 30  # that a connection may say nothing


class LocalServer(http.server.ThreadingHTTPServer):
    """A server at `address`, answering by `handler` with `headers`. `port` 0 is any free one.

    Raises Busy with the reason `taken` if the port is in use.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, handler: type["LocalHandler"], headers: Mapping[str, str], taken: str):
        self.headers = headers
        try:
            super().__init__((HOST, port), handler)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise Busy(taken, f"port {port} is in use") from None
        self.address = f"http://{NAME}:{self.server_port}/"

    @contextlib.contextmanager
    def beside(self) -> Iterator[None]:
        """Answer requests in a thread, until the end."""
        with self:
            threading.Thread(target=self.serve_forever, daemon=True).start()
            try:
                yield
            finally:
                self.shutdown()

    def handle_error(self, request, client_address):
        """A browser that went away in the middle is no news."""


class LocalHandler(http.server.BaseHTTPRequestHandler):
    """Answers requests, with the server's `headers` on each response."""

    server: LocalServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "admit", ""
    timeout = IDLE_S

    def is_asked_as(self, *names: str) -> bool:
        """Was this machine called by one of these names? A stranger's name may lead here, too."""
        return self.headers.get("Host", "").lower() in [f"{name}:{self.server.server_port}" for name in names]

    def file_name(self, index: str) -> str:
        """The name that is asked for; `index` for none."""
        return self.path.split("?")[0].removeprefix("/") or index

    def send_file(self, kind: str, body: bytes, with_body: bool = True) -> None:
        """200, and `body` as the media type `kind`."""
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
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
        """Who looks at what is nobody's business."""
