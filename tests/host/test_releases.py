"""A release as a file: one form, every bit of which counts, and nothing of it is believed before all is proven."""

import hashlib
import os
import time
import tracemalloc

import pytest

from admit import keyfiles, releases
from admit.suite import HostSuite
from admit_protocol import cbor, issuing, release
from admit_protocol.errors import AdmitError, LocalError, Malformed
from cli_kiosk import another_site
from release_files import FILES, build, packed, with_parts
from sites import NOW

# What may be said of a file in which one bit is another.
CHANGED = {"release-file", "release-damaged", "release-signature", "release-other-site"}


@pytest.fixture
def made(site, signer):
    return build(site, signer)


def signed(key, site_id, image=None):
    """A manifest of FILES."""
    more = (["esp32_generic"], "esp32", 6, 1 << 20, NOW, NOW + 1, image)
    return issuing.release(key, site_id, "2.0", 1, 1, releases.rows_of(FILES), *more)


def reason(data, anchor):
    with pytest.raises(AdmitError) as caught:
        releases.read(data, anchor)
    return caught.value.reason


def test_a_file_is_read_as_it_was_written(site, made):
    data = made.encode()
    read = releases.read(data, site.anchor)
    assert read.encode() == data
    assert [name for name, _, _ in read.rows] == sorted(FILES)
    assert (read.manifest.version, read.manifest.sequence, read.manifest.boards) == ("1.4.0", 1, ["virtual"])


def test_items_are_the_files_in_the_order_of_their_names(made):
    for number, name in enumerate(sorted(FILES), 1):
        assert made.item(number) == packed(FILES[name])
    for wrong in (release.LIST, len(FILES) + 1):
        with pytest.raises(Malformed) as caught:
            made.item(wrong)
        assert caught.value.reason == "release-item"


def test_a_content_that_two_files_have_stands_in_it_once(site, signer):
    made = build(site, signer, files={"a.mpy": b"the same" * 50, "b.mpy": b"the same" * 50})
    assert len(made.blobs) == 1
    assert releases.read(made.encode(), site.anchor) == made


def test_micropythons_own_image_is_one_more_item(site, signer):
    image = b"\xe9 an image" * 300
    about = [len(image), hashlib.sha256(image).digest()]
    made = releases.pack(signed(signer._signing_key(), site.anchor.site_id, about), FILES, image)
    assert made.item(241) == image  # as it is: a board has no room to unpack it in
    assert made.blobs[about[1]] == packed(image)
    assert releases.read(made.encode(), site.anchor) == made


def test_one_other_bit_at_any_byte_is_found(site, made):
    data = made.encode()
    told = set()
    for at in range(len(data)):
        wrong = bytearray(data)
        wrong[at] ^= 1 << at % 8
        told.add(reason(bytes(wrong), site.anchor))
    assert told <= CHANGED and len(told) >= 3


@pytest.mark.parametrize("filler", [b"\x40", b"\x00", b"\xc0\x00", b"\xa0", b"\x81\x80"], ids=lambda each: each.hex())
def test_a_file_of_millions_of_nothings_takes_neither_time_nor_memory(site, filler):
    """32 MB of them were 7 GB, and minutes, before anybody asked for a signature."""
    number = releases.MAX_LENGTH // len(filler) - 100
    count = b"\x9a" + number.to_bytes(4, "big")
    for data in (b"\x85\x01\x40\x40" + count + filler * number, count + filler * number, b"\x85\x01" + filler * number):
        began, _ = time.process_time(), tracemalloc.start()
        with pytest.raises(Malformed) as caught:
            releases.read(data, site.anchor)
        assert caught.value.reason == "release-file"
        assert time.process_time() - began < 0.5 and tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()


def test_a_file_that_was_cut_or_goes_on_is_none(site, made):
    data = made.encode()
    for wrong in [b"", data[:1], *(data[:end] for end in range(2, len(data), 41)), data + b"\0", data[1:]]:
        assert reason(wrong, site.anchor) == "release-file"


def test_what_is_something_else_is_none(site, made):
    key = keyfiles.load_anchor(site.folder).encode()
    for wrong in (key, made.data, made.list_data, cbor.encode([1, 2]), cbor.encode([1, b"", b"", [3], b""]), b"PK\3\4"):
        assert reason(wrong, site.anchor) in ("release-file", "release-damaged")
    assert reason(with_parts(made.encode(), format=2), site.anchor) == "release-file"


def test_a_release_of_another_site_is_refused(made, tmp_path):
    assert reason(made.encode(), another_site(tmp_path).anchor) == "release-other-site"


def test_whoever_only_names_the_site_has_signed_nothing(site):
    claimed = signed(HostSuite().generate(), site.anchor.site_id)
    assert reason(releases.pack(claimed, FILES).encode(), site.anchor) == "release-signature"


def test_files_of_two_releases_do_not_mix(site, signer, made):
    later = build(site, signer, "1.5.0", FILES | {"start.mpy": b"M\x06 another beginning"})
    data, other = made.encode(), later.encode()
    blobs = cbor.decode(other, len(other))[3]
    assert reason(with_parts(data, blobs=blobs), site.anchor) == "release-damaged"
    assert reason(with_parts(data, list=later.list_data), site.anchor) == "release-damaged"
    assert reason(with_parts(data, manifest=later.data), site.anchor) == "release-damaged"
    mine = cbor.decode(data, len(data))[3]
    assert reason(with_parts(data, blobs=mine[:-1]), site.anchor) == "release-file"
    assert reason(with_parts(data, blobs=mine[::-1]), site.anchor) == "release-damaged"


def test_a_content_never_unpacks_to_more_than_its_size(site, made):
    bomb = packed(bytes(1 << 26))
    blobs = cbor.decode(made.encode(), 1 << 20)[3]
    assert len(bomb) < 1 << 17
    assert reason(with_parts(made.encode(), blobs=[bomb, *blobs[1:]]), site.anchor) == "release-damaged"
    assert reason(with_parts(made.encode(), blobs=[blobs[0] + b"x", *blobs[1:]]), site.anchor) == "release-damaged"


def test_a_file_that_is_too_large_is_not_read(site, made, tmp_path, monkeypatch):
    monkeypatch.setattr(releases, "MAX_LENGTH", 500)
    file = tmp_path / "large.admit"
    file.write_bytes(bytes(10_000))
    with pytest.raises(AdmitError) as caught:
        releases.load(file, site.anchor)
    assert caught.value.reason == "release-file-too-large"


def test_a_file_that_is_not_there_is_said_to_be_missing(site, tmp_path):
    with pytest.raises(LocalError) as caught:
        releases.load(tmp_path / "none.admit", site.anchor)
    assert caught.value.reason == "file-missing"


def test_what_is_compressed_is_never_much_longer():
    for content in (b"", b"x", bytes(range(256)) * 16, os.urandom(5000)):
        assert len(packed(content)) <= len(content) + len(content) // 8 + 64
