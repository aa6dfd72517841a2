"""Images: what is whole and for this board, and downloads, against a server on this machine."""

import contextlib
import dataclasses
import hashlib
import http.server
import threading

import pytest

from admit_protocol.errors import Conflict, LocalError, Malformed, NotFound, TimedOut, TooLarge, Unsupported, Unverified
from admit_provisioning import boards, images
from admit_provisioning.esptool import run
from rom_loader.image import OTA_PARTITIONS, PARTITIONS, image, program, table
from sites import new_site

BOARD = boards.load("esp32_generic")
C3 = boards.load("esp32_c3_generic")
OTA = boards.load("esp32_generic_ota")
NEW = "ESP32_GENERIC-20250415-v1.25.0.bin"
NOW = 1_900_000_000

# what is in it


@pytest.mark.parametrize("name", ["esp32_generic", "esp32_s3_generic", "esp32_c3_generic", "esp32_c6_generic"])
def test_a_whole_image_is_read_through(name):
    board = boards.load(name)
    data = image(board.chip, b"x" * 5001)
    found = images.parse(data, board)
    assert found.size == len(data) and found.end == 4 << 20
    assert found.partitions["nvs"] == (0x9000, 0x6000) and list(found.partitions) == [row[0] for row in PARTITIONS]


@pytest.mark.parametrize("chip", ["esp32", "esp32s3", "esp32c3", "esp32c6"])
def test_our_images_are_images_to_esptool_too(chip, tmp_path):
    (tmp_path / "program.bin").write_bytes(program(chip, b"x" * 4001))
    said = run(["image-info", str(tmp_path / "program.bin")])
    assert f"Detected image type: {chip[:5].upper()}" in said
    assert "(valid)" in said.partition("Checksum:")[2] and "(valid)" in said.partition("Validation hash:")[2]


def test_every_byte_of_a_program_counts():
    """Any byte changed, in bootloader, table or program: refused, whichever check it is that finds out."""
    whole = image("esp32c3", b"some program")
    for start, length in ((0, 0x80), (0x8000, 0xA0), (0x10000, len(whole) - 0x10000)):
        for at in range(start, start + length, 5):
            data = bytearray(whole)
            data[at] ^= 0x10
            with contextlib.suppress(Malformed, Conflict, TooLarge):
                images.parse(bytes(data), C3)
                assert at in _MEANS_NOTHING, hex(at)


# Padding between the programs, which no check covers and no chip reads.
_MEANS_NOTHING = range(len(program("esp32c3", b"bootloader")), 0x80)


@pytest.mark.parametrize("length", [0, 1, 23, 0x7FFF, 0x8000, 0x8C00, 0x10000, 0x10010, -1])
def test_an_image_that_was_cut_short(length):
    with pytest.raises(Malformed):
        images.parse(image("esp32c3")[:length], C3)


def test_an_image_for_another_chip():
    with pytest.raises(Conflict, match="for esp32s3, not esp32c3") as caught:
        images.parse(image("esp32s3"), C3)
    assert caught.value.reason == "image-other-chip"
    whole = image("esp32c3")[:0x10000] + program("esp32s3", b"x")
    with pytest.raises(Conflict, match="its program is for esp32s3"):
        images.parse(whole, C3)


@pytest.mark.parametrize("data", [b"\x7fELF" + bytes(99), b"<!DOCTYPE html>" * 99, bytes(70_000), b"\xff" * 70_000])
def test_what_is_no_firmware(data):
    with pytest.raises(Malformed) as caught:
        images.parse(data, BOARD)
    assert caught.value.reason == "image-not-firmware"


def test_the_program_alone_comes_out_of_a_whole_image_or_of_a_file_of_its_own(tmp_path):
    whole, alone = tmp_path / "whole.bin", tmp_path / "app.bin"
    made = program("esp32", b"the program")
    whole.write_bytes(image("esp32", b"the program", OTA_PARTITIONS) + bytes(50))
    alone.write_bytes(made + b"\xff" * 99)
    assert images.program(whole, OTA) == images.program(alone, OTA) == made
    told = {}
    for name, data, board in (
        ("board", made, BOARD),
        ("chip", program("esp32c3", b"x"), OTA),
        ("cut", made[:-40], OTA),
        ("other", b"\x7fELF" + bytes(99), OTA),
        ("empty", b"", OTA),
        ("large", program("esp32", bytes(0x180000)), OTA),
        ("table", image("esp32", b"x"), OTA),
        ("damaged", made[:60] + b"?" + made[61:], OTA),
    ):
        alone.write_bytes(data)
        with pytest.raises((Conflict, Malformed, TooLarge)) as caught:
            images.program(alone, board)
        told[name] = caught.value.reason
    assert told == {
        "board": "release-image",
        "chip": "image-other-chip",
        "cut": "image-damaged",
        "other": "image-not-firmware",
        "empty": "image-not-firmware",
        "large": "image-too-large",
        "table": "image-partitions",
        "damaged": "image-damaged",
    }


def test_a_program_alone_is_not_a_whole_image():
    with pytest.raises(Malformed) as caught:
        images.parse(program("esp32c3", b"x" * 100_000), C3)
    assert caught.value.reason == "image-incomplete"
    without = image("esp32c3", partitions=[row for row in PARTITIONS if row[0] != "factory"])
    own = dataclasses.replace(C3, partitions={})
    with pytest.raises(Malformed, match="no place for a program"):
        images.parse(without, own)


def test_a_damaged_partition_table():
    whole = bytearray(image("esp32c3"))
    whole[0x8000 + 8] ^= 1
    with pytest.raises(Malformed, match="partition table") as caught:
        images.parse(bytes(whole), C3)
    assert caught.value.reason == "image-damaged"


def test_partitions_that_are_not_where_the_board_has_them():
    moved = [(n, k, s, 0xA000 if n == "nvs" else o, size) for n, k, s, o, size in PARTITIONS]
    with pytest.raises(Conflict, match="nvs") as caught:
        images.parse(image("esp32", partitions=moved), BOARD)
    assert caught.value.reason == "image-partitions"


def test_a_program_that_is_larger_than_its_partition():
    small = [(n, k, s, o, 0x2000 if n == "factory" else size) for n, k, s, o, size in PARTITIONS]
    own = dataclasses.replace(C3, partitions={})
    assert images.parse(image("esp32c3", b"x" * 0x1000, small), own)
    with pytest.raises(TooLarge) as caught:
        images.parse(image("esp32c3", b"x" * 0x2000, small), own)
    assert caught.value.reason == "image-too-large"


def test_an_image_with_a_second_slot_has_its_program_in_the_first():
    rows = [
        ("nvs", 1, 2, 0x9000, 0x6000),
        ("ota_0", 0, 0x10, 0x10000, 0x180000),
        ("ota_1", 0, 0x11, 0x190000, 0x180000),
    ]
    own = dataclasses.replace(C3, partitions={})
    assert "ota_0" in images.parse(image("esp32c3", partitions=rows), own).partitions


def test_files_that_are_none(tmp_path):
    with pytest.raises(NotFound) as caught:
        images.check(tmp_path / "nothing.bin", BOARD)
    assert caught.value.reason == "file-missing"
    (tmp_path / "empty.bin").touch()
    with pytest.raises(TooLarge):
        images.check(tmp_path / "empty.bin", BOARD)


def test_a_micropython_that_is_too_old(tmp_path):
    file = tmp_path / "ESP32_GENERIC-20240222-v1.22.2.bin"
    file.write_bytes(image("esp32"))
    with pytest.raises(Unsupported, match="1.23.0 or newer") as caught:
        images.check(file, BOARD)
    assert caught.value.reason == "image-too-old"
    assert images.check(file.rename(tmp_path / "mine.bin"), BOARD)  # whoever builds their own knows what it is


def test_a_table_is_a_partition_table_of_espressif():
    assert hashlib.md5(table(PARTITIONS)[: 32 * 4]).digest() == table(PARTITIONS)[32 * 4 + 16 : 32 * 5]


# where it comes from


class Server(http.server.ThreadingHTTPServer):
    """A download page and its files; `lie` cuts bodies short."""

    def __init__(self):
        self.files, self.asked, self.lie = {}, [], 0
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def board(self):
        return dataclasses.replace(BOARD, download=f"http://127.0.0.1:{self.server_port}/download/ESP32_GENERIC/")


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        body = self.server.files.get(self.path)
        if isinstance(body, str):
            self.send_response(302)
            self.send_header("Location", body)
            self.end_headers()
            return
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write((body or b"")[: -self.server.lie or None])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.02,))
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture
def registry(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    site = new_site(tmp_path / "site")
    yield site.registry
    site.registry.close()


PAGE = """
<a href="/resources/firmware/ESP32_GENERIC-20241129-v1.24.1.bin">v1.24.1</a>
<a href="/resources/firmware/ESP32_GENERIC-20250415-v1.25.0.bin">v1.25.0</a>
<a href="/resources/firmware/ESP32_GENERIC-20250415-v1.25.0.app-bin">.app-bin</a>
<a href="/resources/firmware/ESP32_GENERIC-20240602-v1.9.0.bin">v1.9.0</a>
<a href="/resources/firmware/ESP32_GENERIC-20250601-v1.26.0-preview.99.gabcdef.bin">preview</a>
<a href="/resources/firmware/ESP32_GENERIC-SPIRAM-20260101-v1.27.0.bin">variant</a>
<a href="http://127.0.0.1:1/ESP32_GENERIC-20270101-v1.99.0.bin">elsewhere</a>
"""


def publish(server, data, name=NEW):
    server.files["/download/ESP32_GENERIC/"] = PAGE.encode()
    server.files[f"/resources/firmware/{name}"] = data


def test_a_local_file_needs_no_network_and_no_site(tmp_path):
    file = tmp_path / "any.bin"
    file.write_bytes(b"x")
    assert images.resolve(BOARD, file, None) == file
    with pytest.raises(NotFound) as caught:
        images.resolve(BOARD, tmp_path / "none.bin", None)
    assert caught.value.reason == "file-missing"


def test_the_newest_stable_release_is_downloaded_once_and_pinned(server, registry):
    data = image("esp32")
    publish(server, data)
    told = []
    file = images.resolve(server.board, None, registry, told.append, NOW)
    assert file.name == NEW and file.read_bytes() == data and told == [f"downloading {NEW}"]
    (row,) = registry.images()
    assert (row.name, row.sha256, row.first_used_at) == (NEW, hashlib.sha256(data).hexdigest(), NOW)
    assert row.source == f"http://127.0.0.1:{server.server_port}/resources/firmware/{NEW}"
    assert images.resolve(server.board, None, registry) == file
    assert server.asked.count(f"/resources/firmware/{NEW}") == 1


def test_another_file_under_the_same_name_is_refused_ever_after(server, registry):
    publish(server, image("esp32"))
    file = images.resolve(server.board, None, registry)
    file.unlink()
    publish(server, image("esp32", b"an attacker's"))
    for _ in range(2):
        with pytest.raises(Unverified) as caught:
            images.resolve(server.board, None, registry)
        assert caught.value.reason == "image-changed"
        assert not file.exists()


def test_a_cached_file_that_was_changed_is_downloaded_again(server, registry):
    publish(server, image("esp32"))
    file = images.resolve(server.board, None, registry)
    file.write_bytes(image("esp32", b"changed on the disk"))
    assert images.resolve(server.board, None, registry).read_bytes() == image("esp32")


def test_a_damaged_download_is_thrown_away_and_never_pinned(server, registry):
    damaged = bytearray(image("esp32"))
    damaged[-1] ^= 1
    publish(server, bytes(damaged))
    with pytest.raises(Malformed) as caught:
        images.resolve(server.board, None, registry)
    assert caught.value.reason == "image-damaged"
    server.lie = 5
    publish(server, image("esp32"))
    with pytest.raises(TimedOut) as caught:
        images.resolve(server.board, None, registry)
    assert caught.value.reason == "image-offline"
    assert registry.images() == [] and not images.cache().exists()
    server.lie = 0
    assert images.resolve(server.board, None, registry).exists()


def test_without_a_network_the_page_and_the_way_out_are_named(server, registry):
    publish(server, image("esp32"))
    file = images.resolve(server.board, None, registry)
    gone = dataclasses.replace(BOARD, download="http://127.0.0.1:1/download/ESP32_GENERIC/")
    told = []
    assert images.resolve(gone, None, registry, told.append) == file
    assert "no network" in told[0]
    file.unlink()
    with pytest.raises(TimedOut, match="http://127.0.0.1:1/download/ESP32_GENERIC/") as caught:
        images.resolve(gone, None, registry)
    assert caught.value.reason == "image-offline"


def test_pages_that_do_not_help(server, registry):
    with pytest.raises(TimedOut, match="Not Found"):
        images.resolve(server.board, None, registry)
    server.files["/download/ESP32_GENERIC/"] = b"<html>moved</html>"
    with pytest.raises(NotFound) as caught:
        images.resolve(server.board, None, registry)
    assert caught.value.reason == "image-none"


@pytest.mark.parametrize("url", ["http://micropython.example/x", "file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_only_https_is_believed(url, registry):
    with pytest.raises(LocalError) as caught:
        images.resolve(dataclasses.replace(BOARD, download=url), None, registry)
    assert caught.value.reason == "image-insecure"


def test_a_page_that_leads_elsewhere_is_not_followed(server, registry):
    with Server() as other:
        thread = threading.Thread(target=other.serve_forever, args=(0.02,))
        thread.start()
        publish(other, image("esp32"))
        server.files["/download/ESP32_GENERIC/"] = other.board.download
        with pytest.raises(LocalError) as caught:
            images.resolve(server.board, None, registry)
        other.shutdown()
        thread.join()
    assert caught.value.reason == "image-insecure"


def test_without_a_site_nothing_is_downloaded():
    with pytest.raises(LocalError) as caught:
        images.resolve(BOARD, None, None)
    assert caught.value.reason == "image-site"
