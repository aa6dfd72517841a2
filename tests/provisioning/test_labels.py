"""Labels, printed and scanned: every QR code on every sheet is read back, and nothing leaves its label."""

import io
import os
import stat

import pypdfium2
import pytest
import zxingcpp
from PIL import Image

from admit.codes import DeviceCode, parse_device, parse_sealed, sealed_text
from admit_protocol.errors import LocalError, NotFound
from admit_provisioning import label_ink, label_layout, label_text, labels, stock
from admit_provisioning.labels import PublicLabel, SealedLabel

FONTS = label_text.load()
NAMES = ("kiosk-1", "a", "Schließfach-Eingang-Nord.2", "x" * 64, "ü" * 32)
SITE = "Bürgerhaus Köln-Süd"
SECRET = bytes(range(16))
DPI = 200


def public(name, site=SITE):
    return PublicLabel(site, DeviceCode(bytes(range(16)), bytes.fromhex("3f2a91c04d5e6f70"), name))


def rendered(pdf):
    """The pages as a printer would make them."""
    return [page.render(scale=DPI / 72).to_pil().convert("L") for page in pypdfium2.PdfDocument(pdf)]


def words_of(pdf):
    """What people read on each page; at a line's end pdfium takes a dash for one of its own."""
    pages = [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf)]
    return [page.replace("\ufffe", "-") for page in pages]


def scanned(image):
    return sorted(each.text for each in zxingcpp.read_barcodes(image, zxingcpp.BarcodeFormat.QRCode))


def printed(made, on, start=1):
    return label_ink.pdf([each.marks(on, FONTS) for each in made], on, start)


@pytest.mark.parametrize("name", stock.names())
def test_every_code_of_every_sheet_is_read_back(name):
    on = stock.load(name)
    made = [public(each) for each in NAMES]
    pages = rendered(printed(made, on))
    found = [each for page in pages for each in scanned(page)]
    assert sorted(found) == sorted(each.code.text() for each in made)
    assert {parse_device(each).device_id for each in found} == set(NAMES)


@pytest.mark.parametrize("name", [name for name in stock.names() if name != "avery-l7651"])
def test_every_sealed_label_is_read_back_by_scanner_and_by_eye(name):
    on = stock.load(name)
    pdf = printed([SealedLabel(SITE, SECRET)], on)
    (content,) = scanned(rendered(pdf)[0])
    assert parse_sealed(content) == SECRET
    read = words_of(pdf)[0]
    lines = sealed_text(SECRET).split("-")
    assert all(group in read for group in lines)
    assert "SEALED" in read and "admit-" in read and "cover with a seal" in read


@pytest.mark.parametrize("name", stock.names())
def test_every_png_is_read_back_and_is_as_large_as_its_label(name):
    on = stock.load(name)
    for each in (public("kiosk-1"), public("ü" * 32)):
        image = Image.open(io.BytesIO(label_ink.png(each.marks(on, FONTS), on)))
        assert image.mode == "1" and image.size == (round(on.width * on.dpi / 25.4), round(on.height * on.dpi / 25.4))
        assert round(image.info["dpi"][0]) == on.dpi
        assert scanned(image.convert("L")) == [each.code.text()]
    if name != "avery-l7651":
        image = Image.open(io.BytesIO(label_ink.png(SealedLabel(SITE, SECRET).marks(on, FONTS), on)))
        assert parse_sealed(scanned(image.convert("L"))[0]) == SECRET


def extent(mark):
    """(left, top, right, bottom) of a mark's ink, generously."""
    if isinstance(mark, label_layout.Text):
        size = mark.points * label_text.POINT
        return mark.x, mark.y - size * 0.95, mark.x + mark.font.width(mark.text, mark.points), mark.y + size * 0.25
    if isinstance(mark, label_layout.Code):
        side = mark.module * len(mark.rows)
        return mark.x, mark.y, mark.x + side, mark.y + side
    return mark.x, mark.y, mark.x + mark.width, mark.y + mark.height


@pytest.mark.parametrize("name", stock.names())
@pytest.mark.parametrize("device", [*NAMES, "W" * 64, "Ä" * 32, "i" * 64])
@pytest.mark.parametrize("site", [SITE, "W" * 64, "x", "Ж" * 32])
def test_nothing_leaves_its_label_nor_covers_anything_else(name, device, site):
    on = stock.load(name)
    for made in (public(device, site), SealedLabel(site, SECRET)):
        try:
            marks = made.marks(on, FONTS)
        except LocalError as error:
            assert error.reason == "label-too-small" and name == "avery-l7651"
            continue
        for mark in marks:
            left, top, right, bottom = extent(mark)
            assert left >= 0.9 and top >= 0.9 and right <= on.width - 0.9 and bottom <= on.height - 0.9, mark
        inked = [extent(mark) for mark in marks if not isinstance(mark, label_layout.Box)]
        code = next(extent(mark) for mark in marks if isinstance(mark, label_layout.Code))
        assert not [each for each in inked if each != code and overlap(each, code)]


def overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@pytest.mark.parametrize("name", stock.names())
def test_a_module_is_never_smaller_than_a_phone_can_see_and_is_surrounded_by_white(name):
    on = stock.load(name)
    for marks in [public(each).marks(on, FONTS) for each in NAMES]:
        code = next(mark for mark in marks if isinstance(mark, label_layout.Code))
        assert code.module >= label_layout.MIN_MODULE
        quiet = 4 * code.module - 0.001
        box = code.x - quiet, code.y - quiet, code.x + code.module * len(code.rows) + quiet, 0
        bottom = code.y + code.module * len(code.rows) + quiet
        near = [mark for mark in marks if mark is not code and overlap(extent(mark), (*box[:3], bottom))]
        assert near == [], name


def test_the_public_label_shows_site_name_and_fingerprint_and_no_secret():
    text = words_of(printed([public("kiosk-1")], stock.load("avery-l7160")))[0]
    assert SITE in text and "kiosk-1" in text and "key 3f2a 91c0 4d5e 6f70" in text


def test_a_sheet_that_was_begun_goes_on_at_any_place():
    on = stock.load("avery-l7160")
    pdf = printed([public(f"kiosk-{n}") for n in range(1, 5)], on, start=20)
    first, second = words_of(pdf)
    assert "kiosk-1" in first and "kiosk-2" in first and "kiosk-3" in second and "kiosk-4" in second
    page = rendered(pdf)[0]
    above = page.crop((0, 0, page.width, round((15.15 + 6 * 38.1) / 25.4 * DPI)))
    assert above.getextrema() == (255, 255)


@pytest.mark.parametrize("name", stock.names())
def test_the_places_of_a_sheet_are_on_it_and_apart(name):
    on = stock.load(name)
    width, height = on.page
    places = [on.place(number) for number in range(on.on_a_page)]
    assert {page for page, _, _ in places} == {0} and on.place(on.on_a_page)[0] == 1
    for _, left, top in places:
        assert left >= 0 and top >= 0 and left + on.width <= width + 0.001 and top + on.height <= height + 0.001
    boxes = [(left + 0.001, top + 0.001, left + on.width, top + on.height) for _, left, top in places]
    assert not [1 for at, one in enumerate(boxes) for other in boxes[:at] if overlap(one, other)]


def test_what_a_font_lacks_is_told_and_shown_as_a_question_mark_while_the_code_has_it_all():
    made = public("kiosk-Ж1")
    pdf = printed([made], stock.load("avery-l7160"))
    assert "kiosk-?1" in words_of(pdf)[0]
    assert FONTS.missing(made.texts) == "Ж"
    assert parse_device(scanned(rendered(pdf)[0])[0]).device_id == "kiosk-Ж1"


def test_another_font_may_be_named_and_must_be_one(tmp_path):
    vera = FONTS.plain.file
    assert label_text.load(vera).bold.file == vera
    (tmp_path / "no.ttf").write_bytes(b"no font")
    for file in (tmp_path / "no.ttf", tmp_path / "missing.ttf"):
        with pytest.raises(LocalError, match="label-font"):
            label_text.load(file)


def test_a_name_breaks_where_people_would_break_it():
    lines, _ = label_text.fit("Schließfach-Eingang-Nord.2", FONTS.bold, 30, 30, 18, 6)
    assert lines == ["Schließfach-", "Eingang-", "Nord.2"]
    assert "".join(label_text.fit("x" * 64, FONTS.bold, 20, 30, 18, 9)[0]) == "x" * 64
    with pytest.raises(LocalError, match="label-too-small"):
        label_text.fit("x" * 64, FONTS.bold, 3, 3, 18, 9)


def test_files_appear_whole_and_secret_ones_for_their_owner_alone(tmp_path):
    on = stock.load("avery-l7160")
    made = [public("kiosk-1"), public("kiosk-2"), SealedLabel(SITE, SECRET)]
    (sheet,) = labels.write(tmp_path / "all.pdf", made, on, 1, FONTS)
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    (open_sheet,) = labels.write(tmp_path / "public.pdf", made[:2], on, 1, FONTS)
    assert stat.S_IMODE(open_sheet.stat().st_mode) == 0o644
    pngs = labels.write(tmp_path / "folder", made, on, 1, FONTS)
    assert [each.name for each in pngs] == ["kiosk-1.png", "kiosk-2.png", made[2].name + ".png"]
    assert sorted(os.listdir(tmp_path)) == ["all.pdf", "folder", "public.pdf"]
    assert printed(made, on) == sheet.read_bytes() == printed(made, on)
    assert labels.write(tmp_path / "none.pdf", [], on, 1, FONTS) == [] and not (tmp_path / "none.pdf").exists()


def test_what_cannot_be_printed_is_refused_before_anything_is_written(tmp_path):
    on, mini = stock.load("avery-l7160"), stock.load("avery-l7651")
    two = [public("kiosk-1"), public("kiosk-2")]
    for target, made, where, start, reason in (
        (tmp_path / "labels.doc", two, on, 1, "label-target"),
        (tmp_path / "labels.png", two, on, 1, "label-target"),
        (tmp_path / "labels.pdf", two, on, 0, "label-start"),
        (tmp_path / "labels.pdf", two, on, 22, "label-start"),
        (tmp_path / "labels.pdf", [public("W" * 64)], mini, 1, "label-too-small"),
        (tmp_path / "labels.pdf", [SealedLabel(SITE, SECRET)], mini, 1, "label-too-small"),
    ):
        with pytest.raises(LocalError, match=reason):
            labels.check(target, made, where, start, FONTS)
    with pytest.raises(NotFound, match="stock-unknown.*avery-l7160"):
        stock.load("avery-0000")


def test_a_label_never_shows_its_secret_in_an_error_or_a_log():
    assert SECRET.hex() not in repr(SealedLabel(SITE, SECRET)) and "secret" not in repr(SealedLabel(SITE, SECRET))
