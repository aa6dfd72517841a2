"""Archives: any tar reads them, and what is not exactly what the manifest says is refused."""

import io
import json
import tarfile

import pytest

from admit import archive
from admit.archive import Entry
from admit_protocol.errors import AdmitError

FORM = "admit-test"
ENTRIES = [
    Entry("a", b"", mtime_ns=1),
    Entry("folder/b.pem", bytes(range(256)) * 5, mtime_ns=1_800_000_000_123_456_789),
    Entry("folder/ünïcode", b"text", secret=False),
]


@pytest.fixture(scope="module")
def packed():
    return archive.pack(FORM, {"site": "Ours"}, ENTRIES)


def reason(data, form=FORM):
    with pytest.raises(AdmitError) as caught:
        archive.unpack(form, data)
    return caught.value.reason


def forged(*members, version=1, rows=None, form=FORM):
    """An archive as somebody makes it by hand: `members` are (name, content) or headers of tar's."""
    files = [(member, b"") if isinstance(member, tarfile.TarInfo) else member for member in members]
    if rows is None:
        rows = [archive._row(Entry(name, data)) for name, data in files if isinstance(name, str)]
    manifest = json.dumps({"format": form, "version": version, "files": rows}).encode()
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name, data in [("manifest.json", manifest), *files]:
            header = tarfile.TarInfo(name) if isinstance(name, str) else name
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return written.getvalue()


def test_what_is_packed_comes_out_again(packed):
    told, entries = archive.unpack(FORM, packed)
    assert (told["format"], told["version"], told["site"]) == (FORM, 1, "Ours")
    assert entries == ENTRIES
    assert archive.pack(FORM, {"site": "Ours"}, ENTRIES) == packed


def test_any_tar_reads_it(packed):
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert tar.getnames() == ["manifest.json", "a", "folder/b.pem", "folder/ünïcode"]
        assert [member.mode for member in tar][1:] == [0o600, 0o600, 0o644]
        assert tar.extractfile("folder/ünïcode").read() == b"text"


def test_it_is_read_as_what_it_is_made_as_only(packed):
    assert reason(packed, "admit-other") == "archive-file"
    assert reason(forged()[:512]) == "archive-damaged"
    assert reason(b"") == reason(b"no tar" * 200) == "archive-damaged"
    assert reason(bytes(10240)) == "archive-file"


def test_a_newer_version_is_told_before_anything_else_is_looked_at():
    assert reason(forged(rows="of another form", version=2)) == "archive-newer"
    assert reason(forged(rows=[], version=0)) == reason(forged(rows=[], version="1")) == "archive-damaged"
    assert reason(forged(rows="none")) == "archive-damaged"


def test_a_cut_is_found_wherever_it_is(packed):
    end = packed.rstrip(b"\0")
    for length in [*range(0, len(end), 97), len(end) - 1]:
        assert reason(packed[:length]) in ("archive-file", "archive-damaged"), length


def test_a_changed_bit_changes_nothing_or_is_found(packed):
    for place in range(0, len(packed), 61):
        changed = bytearray(packed)
        changed[place] ^= 0x10
        try:
            told, entries = archive.unpack(FORM, bytes(changed))
        except AdmitError as error:
            assert error.reason.startswith("archive-")
        else:
            assert entries == ENTRIES, place


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a/../../b", "a//b", "./a", "c:\\a", "a\\..\\b", ".", ""])
def test_no_name_leads_out(name):
    assert reason(forged((name, b"x"))) == "archive-damaged"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_there_are_files_only(kind):
    header = tarfile.TarInfo("a")
    header.type, header.linkname = kind, "manifest.json"
    assert reason(forged(header, rows=[archive._row(Entry("a", b""))])) == "archive-damaged"


def test_there_is_what_the_manifest_says_and_nothing_else():
    row = archive._row(Entry("a", b"x"))
    assert archive.unpack(FORM, forged(("a", b"x")))[1] == [Entry("a", b"x")]
    assert reason(forged(("a", b"x"), rows=[])) == "archive-damaged"
    assert reason(forged(rows=[row])) == "archive-damaged"
    assert reason(forged(("b", b""), ("a", b"x"), rows=[row, archive._row(Entry("b", b""))])) == "archive-damaged"
    for wrong in ({"size": 2}, {"sha256": "0" * 64}, {"mode": "0777"}, {"mtime_ns": -1}, {"more": 1}, {"name": "b"}):
        assert reason(forged(("a", b"x"), rows=[row | wrong])) == "archive-damaged", wrong
    assert reason(forged(("a", b"x"), rows=["a"])) == "archive-damaged"
    assert reason(forged(("a", b"x"), rows=[{}])) == "archive-damaged"


def test_a_file_of_holes_is_none_however_large_it_claims_to_be():
    for size in (1 << 20, 1 << 62):
        header, data = tarfile.TarInfo("a"), b"1\n0\n1\n".ljust(512, b"\0") + b"x"
        header.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "a"}
        header.pax_headers["GNU.sparse.realsize"] = str(size)
        row = archive._row(Entry("a", b"x".ljust(1 << 20, b"\0"))) | {"size": size}
        assert reason(forged((header, data), rows=[row])) == "archive-damaged", size


def test_nothing_in_it_exhausts_whoever_reads_it():
    header = tarfile.TarInfo("manifest.json")
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        header.size = 100_000
        tar.addfile(header, io.BytesIO(b"[" * header.size))
    assert reason(written.getvalue()) == "archive-damaged"
    long_name = tarfile.TarInfo("././@LongLink")
    long_name.type, long_name.size = tarfile.GNUTYPE_LONGNAME, 1
    assert reason((long_name.tobuf(tarfile.GNU_FORMAT) + bytes(512)) * 2000 + forged()) == "archive-damaged"


def test_a_time_that_no_file_can_have_is_refused():
    assert reason(forged(("a", b"x"), rows=[archive._row(Entry("a", b"x", mtime_ns=1 << 63))])) == "archive-damaged"
