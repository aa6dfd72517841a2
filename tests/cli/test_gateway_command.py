"""`admit gateway`: from its first line to Ctrl-C, what it says, what keeps it from starting, and the way through it."""

import contextlib
import json
import re
import signal
import socket

import pytest

from certificates import certificate
from lasting_command import LastingCommand


@contextlib.contextmanager
def running(typist, *words, **more):
    gateway = LastingCommand(typist, "gateway", "--listen", "127.0.0.1:0", *words, **more)
    try:
        yield gateway
    finally:
        gateway.process.kill()
        gateway.process.wait()


def test_a_visit_through_it_by_network_and_radio_and_what_it_says_of_that(kiosk):
    links = (f"Kiosk-1={kiosk.via(kiosk.board)}", "by-radio=ble:kiosk-1")
    with running(kiosk, *links) as gateway:
        url = gateway.expect(r"^url +(ws://127\.0\.0\.1:\d+)$")[1]
        gateway.expect(r"^kiosks +Kiosk-1; by-radio$")
        gateway.expect("Without --cert only this machine reaches it")
        gateway.expect("Any web page may connect")
        gateway.expect("can use a grant from afar")
        gateway.expect("--presence code")
        shown = kiosk.admit("invoke kiosk-1 open seconds=1 --as alice --via", url)
        assert "done" in shown.stdout
        kiosk.expect("door closed")
        assert "open" in kiosk.admit(f"routines kiosk-1 --as alice --via {url}#by-radio").stdout
        assert "(gateway-no-kiosk)" in kiosk.admit(f"routines kiosk-1 --as alice --via {url}#lobby", code=3).stderr
        gateway.expect("^visitor 1 comes from 127.0.0.1$")
        gateway.expect("^visitor 1 goes to Kiosk-1$")
        gateway.expect(r"^visitor 1 leaves after \d+ s: \d\d+ bytes in, \d\d+ out$")
        gateway.expect("^visitor 2 goes to by-radio$")
        assert gateway.stop() == 0
    kiosk.shown += gateway.lines
    assert not [line for line in gateway.lines if re.search("alice|seconds|Traceback", line)]
    assert kiosk.secrets_shown() == []


def test_json_is_one_document_on_stdout_and_a_page_that_is_named_is_normalised(kiosk):
    words = ("--json", "--origin", "https://Page.Example/", "--origin", "http://localhost:8642", "k=udp://127.0.0.1:1")
    with running(kiosk, *words) as gateway:
        gateway.expect("^}$")
        gateway.expect("from afar")
        assert gateway.stop(signal.SIGTERM) == 0
    text = "\n".join(gateway.lines)
    said = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert said.pop("schema") == 1
    assert said["gateway"].pop("url").startswith("ws://127.0.0.1:")
    assert said == {"gateway": {"kiosks": ["k"], "origins": ["http://localhost:8642", "https://page.example"]}}
    assert "Any web page" not in text


def test_by_tls_it_says_what_browsers_demand_and_only_a_trusted_certificate_leads_there(kiosk, tmp_path):
    cert, key = certificate(tmp_path)
    with running(kiosk, "--cert", cert, "--key", key, f"kiosk-1={kiosk.via(kiosk.board)}") as gateway:
        port = gateway.expect(r"^url +wss://127\.0\.0\.1:(\d+)$")[1]
        gateway.expect("each phone must trust it before")
        link = f"wss://localhost:{port}"
        assert "(gateway-certificate)" in kiosk.admit("routines kiosk-1 --as alice --via", link, code=8).stderr
        assert "open" in kiosk.admit("routines kiosk-1 --as alice --via", link, SSL_CERT_FILE=cert).stdout
        assert gateway.stop() == 0


def test_where_no_gateway_is_the_way_through_it_is_not_found(kiosk):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    said = kiosk.admit(f"routines kiosk-1 --as alice --via ws://127.0.0.1:{port}", code=3).stderr
    assert "(gateway-unreachable)" in said and "try: check its address" in said


def test_a_kiosk_that_is_off_is_told_to_both_sides(kiosk):
    with running(kiosk, "kiosk-1=/no/such/port") as gateway:
        url = gateway.expect(r"^url +(\S+)$")[1]
        said = kiosk.admit("routines kiosk-1 --as alice --via", url, code=6).stderr
        assert "(gateway-no-link)" in said and "/no/such/port" not in said
        gateway.expect("does not reach kiosk-1: serial-not-found: /no/such/port")


@pytest.mark.parametrize(
    "words, code, said",
    [
        ("", 2, "NAME=LINK"),
        ("lobby", 2, "'lobby' is not NAME=LINK, like lobby-1=ble:lobby-1"),
        ("=ble", 1, "(admin-name)"),
        ("lobby=", 2, "is not NAME=LINK"),
        ("lobby=udp://", 2, "(transport-name)"),
        ("lobby=ble Lobby=udp://h", 2, "Lobby is named twice"),
        ("a/b=ble", 1, "(admin-name)"),
        ("--listen nowhere k=ble", 2, "is not HOST:PORT"),
        ("--listen 127.0.0.1 k=ble", 2, "is not HOST:PORT"),
        ("--listen a:b:1 k=ble", 2, "is not HOST:PORT"),
        ("--listen 127.0.0.1:99999 k=ble", 2, "is not HOST:PORT"),
        ("--listen 0.0.0.0:0 k=ble", 2, "is open to others: give --cert and --key"),
        ("--listen gateway.example:0 k=ble", 2, "is open to others"),
        ("--origin page.example k=ble", 2, "is not like https://page.example"),
        ("--origin https://page.example/app k=ble", 2, "is not like https://page.example"),
        ("--cert {cert} k=ble", 2, "--cert and --key go together"),
        ("--key {key} k=ble", 2, "--cert and --key go together"),
        ("--cert {cert} --key /no/such/file k=ble", 2, "does not exist"),
        ("--cert {cert} --key {other} k=ble", 1, "(gateway-tls-file)"),
        ("--cert {key} --key {key} k=ble", 1, "(gateway-tls-file)"),
        ("--cert {cert} --key {locked} k=ble", 1, "the key is under a passphrase (gateway-tls-file)"),
        ("--listen 192.0.2.1:1 --cert {cert} --key {key} k=ble", 1, "(gateway-listen)"),
    ],
)
def test_what_keeps_it_from_starting(run, tmp_path, words, code, said):
    cert, key = certificate(tmp_path)
    _, other = certificate(tmp_path, "other")
    _, locked = certificate(tmp_path, "locked", passphrase=b"secret")
    files = {"cert": cert, "key": key, "other": other, "locked": locked}
    stderr = run("gateway", *words.format(**files).split(), code=code).stderr
    assert said in stderr and stderr.splitlines()[-1].startswith("try: ")


def test_a_port_that_is_taken_is_named(run):
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        said = run("gateway", "--listen", f"127.0.0.1:{port}", "k=ble", code=6).stderr
    assert f"another program listens on 127.0.0.1:{port} (gateway-port)" in said and "--listen" in said
