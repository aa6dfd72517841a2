"""The screen's page as a browser gets it: its files, its policy, its stream, and nobody but this machine's own name."""

import http.client
import json
import re

import pytest

from admit.screen.server import MAX_STREAMS, ScreenServer
from admit.screen.shown import Kiosk, Shown

KIOSK = Kiosk("kiosk-1", "Works", "0123456789abcdef", ("ADMIT:D/44HW2HJVH7",))


@pytest.fixture
def server():
    made = ScreenServer(0, Shown())
    with made.beside():
        yield made
        made.ended.set()
        made.shown.link("unplugged")


def ask(server, path, **headers):
    """The answer to a GET, whose body is not read yet."""
    line = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)  # before a stream says it is alive
    line.request("GET", path, headers={"Host": f"localhost:{server.server_port}"} | headers)
    answer = line.getresponse()
    answer.line = line
    return answer


def event(answer):
    """The next view of a stream."""
    while not (line := answer.fp.readline()).startswith(b"data: "):
        assert line
    return json.loads(line[6:])


def test_the_page_and_all_that_it_names_is_there_with_a_strict_policy(server):
    page = ask(server, "/?lang=de")
    text = page.read().decode()
    assert page.status == 200 and page.headers["Content-Type"] == "text/html; charset=utf-8"
    named = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert sorted(named) == ["icon.svg", "screen.js", "style.css"]
    for name in [*named, "words.js"]:
        answer = ask(server, f"/{name}")
        policy = answer.headers["Content-Security-Policy"]
        assert answer.status == 200 and answer.read()
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<script>|<style|\son\w+=|https?:", text)


@pytest.mark.parametrize(
    "path", ["/server.py", "/../server.py", "/%2e%2e/server.py", "//etc/passwd", "/page/index.html"]
)
def test_there_is_nothing_else(server, path):
    assert ask(server, path).status == 404


@pytest.mark.parametrize("name", ["evil.example", "evil.example:{port}", "localhost", "localhost:1", "", "127.0.0.1"])
def test_a_strangers_name_that_leads_here_gets_nothing(server, name):
    for path in ("/", "/events", "/code.svg"):
        assert ask(server, path, Host=name.format(port=server.server_port)).status == 421


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["/events", "/code.svg"])
def test_another_page_in_the_same_browser_gets_nothing(server, path, site):
    server.shown.met(KIOSK)
    assert ask(server, path, **{"Sec-Fetch-Site": site}).status == 403
    assert ask(server, path, **{"Sec-Fetch-Site": "same-origin"}).status == 200
    assert ask(server, "/", **{"Sec-Fetch-Site": site}).status == 200  # a link may lead there


def test_the_kiosks_code_is_a_picture_of_any_size(server):
    assert ask(server, "/code.svg").status == 404  # before there is one
    server.shown.met(KIOSK)
    answer = ask(server, "/code.svg")
    assert answer.headers["Content-Type"].startswith("image/svg+xml")
    assert b"viewBox" in answer.read()


def test_the_stream_tells_each_change_once_and_at_once(server):
    stream = ask(server, "/events")
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert event(stream)["view"] == "connecting"
    server.shown.met(KIOSK)
    assert event(stream) == server.shown.view()
    server.shown.asked()
    server.shown.hear("status ready\n")
    server.shown.answered()
    assert event(stream)["view"] == "waiting"
    server.shown.hear("visitor al\u00efce</script>\n")
    assert event(stream)["who"] == "al\u00efce</script>"
    server.shown.hear("code 123456\n")
    told = event(stream)
    assert (told["code"], told["view"]) == ("123456", "code")
    stream.line.close()


def test_a_few_browsers_may_watch_and_make_room_when_they_go(server):
    streams = [ask(server, "/events") for _ in range(MAX_STREAMS)]
    assert [event(each)["view"] for each in streams] == ["connecting"] * MAX_STREAMS
    assert ask(server, "/events").status == 503
    for each in streams:
        each.line.close()
        each.close()
    for number in range(200):  # they are missed at the next news
        server.shown.met(KIOSK)
        server.shown.hear(f"visitor {number}\n")
        if ask(server, "/events").status == 200:
            return
    pytest.fail("nobody made room")


def test_the_page_is_small(server):
    assert sum(map(len, server.files.values())) < 20_000
