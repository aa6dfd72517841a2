"""`admit labels` as it is typed: which labels, where to, what is told, and what is never told."""

import io
import json
import time

import pypdfium2
import pytest
import zxingcpp

from admit import admin, codes, keyfiles
from admit.codes import parse_device, parse_sealed
from admit.suite import HostSuite
from admit_cli import label_code
from admit_protocol.errors import Conflict, LocalError, Malformed
from sites import SEALED

SECRET = bytes(range(16))


@pytest.fixture
def devices(site):
    """kiosk-1, kiosk-2 and Tür-Ж, with keys of their own."""
    for device_id in ("kiosk-1", "kiosk-2", "Tür-Ж"):
        signer = site.authority(lambda: "correct horse battery")
        admin.commission(site, signer, device_id, HostSuite().generate().public, SEALED, int(time.time()))
    return site.registry.devices()


def scanned(file):
    images = [page.render(scale=3).to_pil() for page in pypdfium2.PdfDocument(file.read_bytes())]
    return [each.text for image in images for each in zxingcpp.read_barcodes(image)]


def test_the_labels_of_named_devices_scan_as_them(site, devices, run, tmp_path):
    told = run("labels", "kiosk-1", "kiosk-2", "-o", str(tmp_path / "labels.pdf"))
    assert told.stdout.split() == ["LABEL", "KIND", "kiosk-1", "public", "kiosk-2", "public"]
    assert told.stderr == f"2 labels in {tmp_path / 'labels.pdf'}\n"
    found = sorted((parse_device(each) for each in scanned(tmp_path / "labels.pdf")), key=lambda code: code.device_id)
    assert [code.device_id for code in found] == ["kiosk-1", "kiosk-2"]
    assert {code.site_id for code in found} == {site.anchor.site_id}
    prints = [keyfiles.fingerprint(site.registry.device(code.device_id).public) for code in found]
    assert [code.fingerprint.hex() for code in found] == prints


def test_all_devices_are_meant_when_none_is_named_and_a_folder_gets_an_image_each(devices, run, tmp_path):
    told = run("labels", "-o", str(tmp_path / "printer"), "--stock", "dymo-11354")
    assert {each.name for each in (tmp_path / "printer").iterdir()} == {"kiosk-1.png", "kiosk-2.png", "Tür-Ж.png"}
    assert "the font has no letter for Ж: ? stands for it" in told.stderr


def test_a_site_without_devices_has_no_labels(site, run, tmp_path):
    told = run("labels", "-o", str(tmp_path / "labels.pdf"))
    assert (told.stdout, told.stderr) == ("", "There are no devices to print labels of.\n")
    assert json.loads(run("labels", "-o", str(tmp_path / "x.pdf"), "--json").stdout) == {"schema": 1, "labels": []}
    assert not list(tmp_path.glob("*.pdf"))


@pytest.mark.parametrize(
    "words, code, said",
    [
        (["-o", "-"], 2, "name a file ending in .pdf"),
        ([], 2, "-o"),
        (["-o", "labels.doc"], 1, "(label-target)"),
        (["-o", "labels.png"], 1, "(label-target)"),
        (["-o", "labels.pdf", "--start", "22"], 1, "(label-start)"),
        (["-o", "labels.pdf", "--stock", "avery-1"], 3, "(stock-unknown)"),
        (["kiosk-9", "-o", "labels.pdf"], 3, "(registry-no-device)"),
        (["--sealed", "/dev/no-such-port", "-o", "labels.pdf"], 3, "(serial-not-found)"),
        (["--sealed", "/dev/no-such-port", "-o", "labels.pdf", "--stock", "avery-l7651"], 1, "(label-too-small)"),
    ],
)
def test_what_cannot_be_printed_is_told_and_nothing_is_written(devices, run, tmp_path, monkeypatch, words, code, said):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    told = run("labels", *words, code=code)
    assert said in told.stderr and told.stdout == ""
    assert sorted(tmp_path.iterdir()) == before


def test_a_sheet_that_is_there_is_replaced_only_on_purpose(devices, run, tmp_path):
    file = tmp_path / "labels.pdf"
    file.write_bytes(b"perhaps a sealed one")
    told = run("labels", "kiosk-1", "-o", str(file), code=2)
    assert "is there already" in told.stderr and file.read_bytes() == b"perhaps a sealed one"
    run("labels", "kiosk-1", "-o", str(file), "--yes")
    assert parse_device(scanned(file)[0]).device_id == "kiosk-1"


@pytest.fixture
def boards(monkeypatch):
    """Factory boards at ports A and B; what secret each was given. C belongs to a site already."""
    given = {}

    class Line:
        def __init__(self, port):
            self.port = port

        async def __aenter__(self):
            return self

        async def __aexit__(self, *_):
            pass

    async def seal(line, secret):
        if line.port == "C":
            raise Conflict("identity-commissioned", "the device already belongs to a site")
        given[line.port] = secret

    monkeypatch.setattr("admit_cli.label_commands.open_transport", lambda port: port)
    monkeypatch.setattr("admit_cli.label_commands.Connection", Line)
    monkeypatch.setattr("admit_provisioning.sealed.seal", seal)
    return given


def test_a_sealed_label_bears_the_secret_that_its_board_was_given_and_nothing_else_does(site, run, tmp_path, boards):
    file = tmp_path / "sealed.pdf"
    told = run("labels", "--sealed", "A", "--sealed", "B", "-o", str(file))
    assert file.stat().st_mode & 0o077 == 0
    assert sorted(parse_sealed(each) for each in scanned(file)) == sorted(boards.values())
    assert "it has no copy" in told.stderr and "delete the file" in told.stderr
    shown = told.stdout + told.stderr
    for secret in boards.values():
        assert secret.hex() not in shown and codes.sealed_text(secret) not in shown
        kept = [each for each in site.folder.rglob("*") if each.is_file() and secret in each.read_bytes()]
        assert kept == [] and codes.sealed_text(secret).replace("-", "") not in shown
    again = json.loads(run("labels", "--sealed", "A", "-o", str(file), "--yes", "--json").stdout)["labels"]
    assert [each["kind"] for each in again] == ["sealed"] and set(again[0]) == {"label", "kind"}
    assert parse_sealed(scanned(file)[0]) == boards["A"]  # another secret: the first sheet is dead


def test_a_board_that_belongs_to_somebody_gets_no_sealed_label(site, run, tmp_path, boards):
    told = run("labels", "--sealed", "A", "--sealed", "C", "-o", str(tmp_path / "sealed.pdf"), code=5)
    assert "(identity-commissioned)" in told.stderr
    assert not (tmp_path / "sealed.pdf").exists()


def test_the_code_of_a_label_comes_from_a_file_or_standard_input_and_never_from_an_argument(tmp_path, monkeypatch):
    text = codes.sealed_text(SECRET)
    monkeypatch.setattr("sys.stdin", io.StringIO(text + "\n"))
    assert label_code.ask() == SECRET
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(LocalError, match="label-code-missing"):
        label_code.ask()
    (tmp_path / "code").write_text(codes.sealed_content(SECRET) + "\n")
    monkeypatch.setenv("ADMIT_LABEL_FILE", str(tmp_path / "code"))
    assert label_code.ask() == SECRET
    (tmp_path / "code").write_text("0000-1111\n")
    with pytest.raises(Malformed, match="label-code") as caught:
        label_code.ask()
    assert "0000" not in str(caught.value)
