"""Links between phones and the desk: keys that come as one, invitations that go as one, the page that codes open."""

import json
import re
import time

import pypdfium2
import pytest
import zxingcpp
from PIL import Image, ImageDraw

from admit import admin, invites, links, wallet
from admit.codes import DeviceCode
from admit.suite import HostSuite
from sites import SEALED, passphrase
from terminals import Terminal

PAGE = "https://keys.example.org/"
FORMS = pytest.mark.parametrize("page", [None, PAGE], ids=["alone", "page"])


@pytest.fixture
def phone(tmp_path):
    """Somebody's phone, which is a wallet here."""
    return wallet.create(tmp_path / "phone")


def key_link(phone, name="bob"):
    return links.Key(*phone.publics, name).text()


def written(tmp_path, text):
    (tmp_path / "link.txt").write_text(text + "\n")
    return str(tmp_path / "link.txt")


def device(site, name="kiosk-1"):
    admin.commission(site, site.authority(passphrase), name, HostSuite().generate().public, SEALED, int(time.time()))


def scanned(lines):
    """What a phone reads from a QR code on a terminal."""
    size = 6
    picture = Image.new("L", ((len(lines[0]) + 8) * size, (2 * len(lines) + 8) * size), 255)
    draw = ImageDraw.Draw(picture)
    for row, line in enumerate(lines):
        for column, cell in enumerate(line):
            for half, blank in enumerate(("█▀", "█▄")):
                if cell not in blank:
                    x, y = (column + 4) * size, (2 * row + half + 4) * size
                    draw.rectangle((x, y, x + size - 1, y + size - 1), 0)
    (found,) = zxingcpp.read_barcodes(picture, zxingcpp.BarcodeFormat.QRCode)
    return found.text


@FORMS
def test_a_key_comes_as_the_phone_shows_it_from_a_file_or_stdin(site, run, phone, tmp_path, page):
    text = links.on_page(page, key_link(phone))
    told = run("user", "add", "bob", "--key", written(tmp_path, text), "--fingerprint", phone.fingerprint)
    assert phone.fingerprint in told.stdout and "calls themselves" not in told.stderr
    told = run(
        "user", "add", "robert", "--key", "-", given=links.on_page(page, key_link(wallet.create(tmp_path / "x")))
    )
    assert "calls themselves bob; here they are robert" in told.stderr
    (row,) = site.registry.keys("bob")
    assert [row.public, row.sig_public] == phone.publics


@pytest.mark.parametrize(
    "text, reason",
    [
        ("admit://key#AAAA", "key-link"),
        ("admit://invite#AAAA", "invite-link"),
        ("https://keys.example.org/#token=1", "link-unknown"),
        ("ADMIT:S/000G40R40M30E209185GR38E1XF3", "link-sealed"),
        ("ADMIT:D/44HW2HJVH73P4BX69JD7VT2DXSDZQBH7H9C6GZ3BD5QQ6TSD64", "key-link"),
        ("-----BEGIN NOTHING", "key-file"),
    ],
)
def test_what_is_no_key_adds_nobody(site, run, tmp_path, text, reason):
    told = run("user", "add", "bob", "--key", written(tmp_path, text), code=1)
    assert f"({reason})" in told.stderr and "try: " in told.stderr
    assert "bob" not in [each.name for each in site.registry.users()]


def test_another_key_than_was_read_out_is_refused(site, run, phone, tmp_path):
    told = run("user", "add", "bob", "--key", written(tmp_path, key_link(phone)), "--fingerprint", "0" * 16, code=8)
    assert "(key-fingerprint)" in told.stderr


@FORMS
def test_an_invitation_goes_as_a_link_and_nothing_else_is_on_stdout(site, run, phone, tmp_path, monkeypatch, page):
    device(site)
    run("user", "add", "bob", "--key", written(tmp_path, key_link(phone)))
    if page:
        monkeypatch.setenv("ADMIT_PAGE", page)
    told = run("grant", "bob", "open", "--on", "kiosk-1", "--link")
    assert told.stdout.startswith((page + "#invitation=") if page else "admit://invitation#")
    assert told.stdout.count("\n") == 1 and site.anchor.site_id.hex() in told.stderr
    accepted = run("wallet", "accept", str(phone.folder), "-", given=told.stdout)
    assert "GET,POST /r/open" in accepted.stdout
    accepted = run("wallet", "accept", str(phone.folder), written(tmp_path, told.stdout), "--json")
    assert json.loads(accepted.stdout)["accepted"]["on"] == ["kiosk-1"]


def test_an_invitation_goes_as_a_code_to_scan_beside_its_file(site, run, phone, tmp_path):
    device(site)
    run("user", "add", "bob", "--key", written(tmp_path, key_link(phone)))
    file = tmp_path / "bob.admit"
    told = run("grant", "bob", "open", "--on", "kiosk-1", "--qr", "--page", PAGE, "--output", str(file))
    *picture, text = told.stdout.splitlines()
    assert scanned(picture) == text
    assert links.parse(text) == links.Invitation(file.read_bytes())
    as_data = run("grant", "bob", "light", "--on", "kiosk-1", "--qr", "--page", "", "--json")
    assert json.loads(as_data.stdout)["grant"]["link"].startswith("admit://invitation#")
    assert "█" not in as_data.stdout


def test_only_one_users_invitation_is_a_link(site, run):
    told = run("grant", "group:guests", "open", "--on", "*", "--link", code=2)
    assert "--link" in told.stderr and {each.user_name for each in site.registry.grants()} == {"admin"}


def test_what_is_no_invitation_is_not_taken(run, phone, tmp_path):
    for text, reason in (
        (key_link(phone), "invitation-file"),
        ("admit://invitation#AAAA", "invitation-file"),
        ("https://keys.example.org/", "link-unknown"),
        ("hello", "invitation-file"),
    ):
        told = run("wallet", "accept", str(phone.folder), written(tmp_path, text), code=1)
        assert f"({reason})" in told.stderr, text


@FORMS
def test_who_shares_takes_a_phones_link_and_gives_one(site, run, phone, tmp_path, page):
    now = int(time.time()) - 10
    admin.add_user(site, "hana", None, now)
    hana = site.wallet("hana")
    signer, (login, sign) = site.authority(passphrase), hana.publics
    hana.add_grant(
        signer.issue_grant("hana", ["kiosk-1"], [("/r/open", 3, {})], login, now, sign, expires=now + 999, delegate=1)
    )
    file = written(tmp_path, links.on_page(page, key_link(phone, "Bob B")))
    words = ["share", "open", "--to", file, "--as", "hana"]
    assert "--output" in run(*words, code=2).stderr
    told = run(*words, "--link", *(["--page", page] if page else []))
    link = links.parse(told.stdout)
    assert run("wallet", "accept", str(phone.folder), "-", given=told.stdout).exit_code == 0
    (given,) = phone.grants()
    assert given.subject == "Bob B" and isinstance(link, links.Invitation)
    *picture, text = run(*words, "--qr").stdout.splitlines()
    assert scanned(picture) == text
    assert json.loads(run(*words, "--link", "--json").stdout)["shared"]["link"].startswith("admit://invitation#")


@pytest.mark.parametrize("source", ["flag", "variable", "site", "config"])
def test_the_page_comes_from_where_all_settings_come_from(site, run, tmp_path, monkeypatch, source):
    device(site)
    file, words = tmp_path / "link", []
    if source == "flag":
        monkeypatch.setenv("ADMIT_PAGE", "https://other.example/")
        words = ["--page", PAGE]
    elif source == "variable":
        monkeypatch.setenv("ADMIT_PAGE", PAGE)
    elif source == "site":
        with open(site.folder / "site.toml", "a") as config:
            config.write(f'page = "{PAGE}"\n')
    else:
        (tmp_path / "home/config/admit").mkdir(parents=True)
        (tmp_path / "home/config/admit/config.toml").write_text(f'page = "{PAGE}"\n')
    told = run("invite", "open", "--on", "kiosk-1", "--output", str(file), *words)
    address, _, fragment = file.read_text().strip().partition("#")
    assert address == PAGE and fragment.startswith("invite=")  # nothing secret stands before the mark
    assert isinstance(links.parse(file.read_text()), invites.Link)
    assert fragment[7:40] not in told.output
    run("invite", "open", "--on", "kiosk-1", "--output", str(file), "--page", "")
    assert file.read_text().startswith(invites.PREFIX)


@pytest.mark.parametrize("page", ["http://keys.example.org/", "keys.example.org", f"{PAGE}#", "https://a b/"])
def test_a_page_that_is_none_makes_nothing(site, run, tmp_path, monkeypatch, page):
    device(site)
    for words in (
        ["invite", "open", "--on", "kiosk-1", "--output", str(tmp_path / "x")],
        ["labels", "-o", str(tmp_path / "x.pdf")],
    ):
        told = run(*words, "--page", page, code=1)
        assert "(page-url)" in told.stderr
    assert site.registry.invites() == [] and not list(tmp_path.glob("x*"))


def test_an_invites_code_on_the_terminal_opens_the_page(site, passphrase_file):
    device(site)
    code, shown = Terminal("invite", "open", "--on", "kiosk-1", "--page", PAGE).end()
    (text,) = re.findall(r"https://\S+", shown)
    picture = [line for line in shown.replace("\r", "").splitlines() if line and set(line) <= set("█▀▄ ")]
    assert code == 0 and scanned(picture) == text and isinstance(links.parse(text), invites.Link)


def test_a_labels_code_opens_the_page_at_that_kiosk(site, run, tmp_path):
    name = "a-rather-long-name-for-a-kiosk-in-the-lobby"
    device(site, name)
    file = tmp_path / "labels.pdf"
    told = json.loads(run("labels", "-o", str(file), "--page", PAGE, "--json").stdout)["labels"]
    (code,) = zxingcpp.read_barcodes(pypdfium2.PdfDocument(file)[0].render(scale=4).to_pil())
    assert code.text == told[0]["content"] and code.text.startswith(f"{PAGE}#ADMIT:D/")
    label = links.parse(code.text)
    assert isinstance(label, DeviceCode) and label.device_id == name
