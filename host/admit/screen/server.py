"""The screen's page on this machine: http://localhost:PORT, and the stream of what is to be seen.

Owns: which requests are answered: the page's files, the kiosk's QR code, and /events (server-sent events, one JSON
object each), of this machine's programs, by this machine's name.
Rules: nothing is inline, nothing comes from elsewhere, and nobody's name is in an address or a log.
"""

import json
import threading
from http import HTTPStatus
from pathlib import Path

from admit import qr
from admit.local_page import HOST, NAME, LocalHandler, LocalServer
from admit.screen.shown import Shown

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


class ScreenServer(LocalServer):
    """The page at `address`, which shows `shown`. `port` 0 is any free one. Raises Busy screen-port."""

    def __init__(self, port: int, shown: Shown):
        self.shown = shown
        self.files = {path.name: path.read_bytes() for path in _FOLDER.iterdir() if path.suffix in _TYPES}
        self.streams = threading.BoundedSemaphore(MAX_STREAMS)
        self.ended = threading.Event()
        super().__init__(port, _Handler, _HEADERS, "screen-port")


class _Handler(LocalHandler):
    server: ScreenServer

    def do_GET(self):
        if not self.is_asked_as(NAME, HOST):
            return self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        name = self.file_name("index.html")
        foreign = self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
        if foreign and name in ("events", "code.svg"):  # another page in this browser asks
            return self.send_error(HTTPStatus.FORBIDDEN)
        if name == "events":
            return self._stream()
        body = self._code() if name == "code.svg" else self.server.files.get(name)
        if body is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        self.send_file(f"{_TYPES[Path(name).suffix]}; charset=utf-8", body)

    def _code(self) -> bytes | None:
        code = self.server.shown.code
        return qr.drawing(code) if code else None

    def _stream(self) -> None:
        """One view after another, until the browser goes."""
        if not self.server.streams.acquire(blocking=False):
            return self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            self.close_connection = True
            self._head()
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

    def _head(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()


def _event(view: dict) -> bytes:
    return f"data: {json.dumps(view)}\n\n".encode()
