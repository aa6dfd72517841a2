"""The screen's page on this machine: http://localhost:PORT, and the stream of what is to be seen.

Owns: which requests are answered: the page's files, the kiosk's QR code, and /events (server-sent events, one JSON
object each), of this machine's programs, by this machine's name.
Rules: nothing is inline, nothing comes from elsewhere, and nobody's name is in an address or a log.
"""

import http.server
import json
import threading
from http import HTTPStatus
from pathlib import Path

from admit import qr
from admit.screen.shown import Shown

HOST = "127.0.0.1"
NAMES = ("localhost", HOST)
IDLE_S = 30
MAX_STREAMS = 8
ALIVE_S = 10.0  # after which a stream without news says that it is there

_FOLDER = Path(__file__).parent / "page"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "
    "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class ScreenServer(http.server.ThreadingHTTPServer):
    """The page at `address`, which shows `shown`. `port` 0 is any free one. Raises OSError if the port is taken."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, shown: Shown):
        self.shown = shown
        self.files = {path.name: path.read_bytes() for path in _FOLDER.iterdir() if path.suffix in _TYPES}
        self.streams = threading.BoundedSemaphore(MAX_STREAMS)
        self.ended = threading.Event()
        super().__init__((HOST, port), _Handler)
        self.address = f"http://localhost:{self.server_port}/"

    def handle_error(self, request, client_address):
        """A browser that went away in the middle is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: ScreenServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "admit", ""
    timeout = IDLE_S

    def do_GET(self):
        host = self.headers.get("Host", "").lower()
        if host not in [f"{name}:{self.server.server_port}" for name in NAMES]:
            return self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        name = self.path.split("?")[0].removeprefix("/") or "index.html"
        foreign = self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
        if foreign and name in ("events", "code.svg"):  # another page in this browser asks
            return self.send_error(HTTPStatus.FORBIDDEN)
        if name == "events":
            return self._stream()
        body = self._code() if name == "code.svg" else self.server.files.get(name)
        if body is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        self._head(f"{_TYPES[Path(name).suffix]}; charset=utf-8", len(body))
        self.wfile.write(body)

    def _code(self) -> bytes | None:
        code = self.server.shown.code
        return qr.drawing(code) if code else None

    def _stream(self) -> None:
        """One view after another, until the browser goes."""
        if not self.server.streams.acquire(blocking=False):
            return self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            self.close_connection = True
            self._head("text/event-stream", None)
            before = None
            while not self.server.ended.is_set():
                news = self.server.shown.news  # before the view: what comes meanwhile is not waited for
                view = self.server.shown.view()
                steady = {name: value for name, value in view.items() if name != "seconds"}
                self.wfile.write(b": alive\n\n" if steady == before else _event(view))
                self.wfile.flush()
                before = steady
                self.server.shown.wait(news, ALIVE_S)
        except OSError:
            pass  # it went
        finally:
            self.server.streams.release()

    def _head(self, kind: str, length: int | None) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        if length is None:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def end_headers(self):
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def version_string(self):
        return self.server_version

    def log_message(self, *_):
        """Who looks at it is nobody's business."""


def _event(view: dict) -> bytes:
    return f"data: {json.dumps(view)}\n\n".encode()
