"""From a factory board to a device without a cable, as a technician types it: label, scan, provision by radio."""

import pypdfium2
import zxingcpp

from admit.codes import parse_sealed


def scan(file):
    (page,) = pypdfium2.PdfDocument(file.read_bytes())
    (code,) = zxingcpp.read_barcodes(page.render(scale=3).to_pil())
    return code.text


def test_a_board_with_a_sealed_label_joins_by_radio_and_its_label_is_dead_then(kiosk):
    board = kiosk.factory_board("sealed-board", kiosk.air.name)
    sheet = kiosk.folder / "sealed.pdf"
    told = kiosk.data("labels", "--sealed", board.cable, "-o", sheet)
    code = scan(sheet)
    said = kiosk.admit("provision ble --sealed --name sealed-1", given="0000-0000\n", code=1).stderr
    assert "(label-code)" in said and "0000" not in said
    said = kiosk.admit("provision ble --sealed --name sealed-1", given="", code=1).stderr
    assert "(label-code-missing)" in said
    made = kiosk.data("provision ble --sealed --name sealed-1", given=f"{code.lower()}\n")
    assert (made["device"], made["proven"]) == ("sealed-1", True)
    assert kiosk.fingerprint("sealed-1") == made["fingerprint"]
    again = kiosk.admit("labels --sealed", board.cable, "-o", kiosk.folder / "again.pdf", code=5).stderr
    assert "(identity-commissioned)" in again and not (kiosk.folder / "again.pdf").exists()
    assert told[0]["label"].startswith("admit-") and kiosk.secrets_shown() == []
    shown = "".join(kiosk.shown)
    assert code not in shown and parse_sealed(code).hex() not in shown
