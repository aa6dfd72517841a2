"""Serving the phone's page: whoever asks for one of its files gets it, with its headers; nobody gets anything else."""

import http.client
import socket

import pytest

from admit import phone_site
from admit.phone_server import PhoneServer


@pytest.fixture(scope="module")
def server():
    running = PhoneServer(0)
    with running.beside():
        yield running


def ask(server, method, path, host=None):
    """(response, body) of one request, whose path goes out as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"localhost:{server.server_port}")
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def test_each_file_comes_as_it_is_with_its_type_and_all_headers(server):
    for name, data in phone_site.content().items():
        response, body = ask(server, "GET", f"/{name}")
        assert (response.status, body) == (200, data), name
        assert dict(response.headers).items() >= phone_site.headers().items()
        assert response.headers["Content-Type"] == phone_site.TYPES["." + name.rsplit(".", 1)[1]]
    assert ask(server, "GET", "/manifest.webmanifest")[0].headers["Content-Type"] == "application/manifest+json"
    assert ask(server, "GET", "/app.js")[0].headers["Content-Type"].startswith("text/javascript")


def test_its_root_is_the_page_whatever_a_link_says_behind_it(server):
    page = phone_site.content()["index.html"]
    assert ask(server, "GET", "/")[1] == ask(server, "GET", "/?source=app")[1] == page


def test_who_asks_for_the_head_gets_no_body(server):
    response, body = ask(server, "HEAD", "/")
    assert (response.status, body) == (200, b"")
    assert int(response.headers["Content-Length"]) == len(phone_site.content()["index.html"])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_can_be_done_to_it(server, method):
    assert ask(server, method, "/")[0].status == 501


@pytest.mark.parametrize(
    "path",
    [
        "/protocol",
        "/protocol/",
        "/nothing.js",
        "/../pyproject.toml",
        "/protocol/../../pyproject.toml",
        "/%2e%2e/pyproject.toml",
        "/..%2fpyproject.toml",
        "/..\\pyproject.toml",
        "//etc/passwd",
        "/etc/passwd",
        "/index.html%00.js",
        "/tsconfig.json",
        "/_headers",
        "/INDEX.HTML",
    ],
)
def test_what_is_no_file_of_the_page_is_not_there(server, path):
    response, body = ask(server, "GET", path)
    assert response.status == 404
    assert b"[project]" not in body and b"root:" not in body and b"href" not in body
    assert dict(response.headers).items() >= phone_site.headers().items()


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "evil.example:{port}", "localhost", "localhost:1", " "])
def test_by_another_name_there_is_no_page(server, host):
    """Keys belong to a name: a stranger's name that leads here must not become one that has them."""
    response, body = ask(server, "GET", "/", host.format(port=server.server_port))
    assert response.status == 421
    assert server.address.encode() in body and phone_site.content()["index.html"] not in body


def test_only_this_machine_reaches_it(server):
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_what_is_no_http_ends_nothing(server):
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as stranger:
        stranger.sendall(b"\x16\x03\x01" + bytes(range(256)) + b"\r\n\r\n")
        stranger.recv(4096)
    with socket.create_connection(("127.0.0.1", server.server_port)):
        pass
    assert ask(server, "GET", "/")[0].status == 200


def test_a_gateway_is_in_the_headers():
    server = PhoneServer(0, "wss://gate.example")
    with server.beside():
        response, _ = ask(server, "GET", "/")
    assert "connect-src 'self' wss://gate.example;" in response.headers["Content-Security-Policy"]
