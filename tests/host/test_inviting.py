"""Links and QR codes of invites, and couriers' files: what they hold, and that others' eyes find nothing in them."""

import cbor2
import pytest

from admit import admin, couriers, invites, inviting, qr, statements
from admit.editing import editing
from admit.suite import HostSuite
from admit_protocol import grant, invite
from admit_protocol.errors import Malformed
from sites import NOW, SEALED

OPEN = ("/r/open", 2, {})


@pytest.fixture
def link(site, signer):
    admin.commission(site, signer, "lobby-1", bytes(range(64)), SEALED, NOW)
    with editing(site, signer, NOW) as edit:
        _, made = inviting.make(edit, signer, "lobby-1", 3600, 2, rules=(OPEN,))
    return made


def test_a_link_leads_back_to_what_it_was_made_of(link, site):
    again = invites.decode(invites.encode(link))
    given = grant.parse(again.grant)
    assert again == link and again.site_id == site.anchor.site_id
    assert (given.audience, given.rules, given.enrol, given.delegate) == (("lobby-1",), (OPEN,), 2, 1)
    assert (given.expires, given.sig_key) == (NOW + 3600, None)
    assert invite.key(link.secret, HostSuite()).public == given.key


def test_no_file_of_the_site_holds_the_secret(link, site):
    assert len(link.secret) == 16
    for file in site.folder.rglob("*"):
        assert not file.is_file() or link.secret not in file.read_bytes()


def test_two_invites_share_nothing(link, site, signer):
    with editing(site, signer, NOW) as edit:
        _, other = inviting.make(edit, signer, "lobby-1", 3600, 2, rules=(OPEN,))
    assert other.secret != link.secret and grant.parse(other.grant).key != grant.parse(link.grant).key


def test_a_picture_is_read_as_what_was_written(link):
    import io

    import zxingcpp
    from PIL import Image

    text = invites.encode(link)
    picture = Image.open(io.BytesIO(qr.image(text, "png")))
    (found,) = zxingcpp.read_barcodes(picture.convert("L"))
    assert found.text == text
    assert qr.image(text, "svg").startswith(b"<?xml")


def test_the_code_on_a_terminal_is_read_too(link):
    import zxingcpp
    from PIL import Image

    lines = qr.lines(invites.encode(link))
    scale = 4
    picture = Image.new("L", (len(lines[0]) * scale, len(lines) * 2 * scale), 0)
    for row, line in enumerate(lines):
        for column, cell in enumerate(line):
            for half, lit in enumerate({"\u2588": (1, 1), "\u2580": (1, 0), "\u2584": (0, 1), " ": (0, 0)}[cell]):
                box = (column * scale, (row * 2 + half) * scale, (column + 1) * scale, (row * 2 + half + 1) * scale)
                picture.paste(255 * lit, box)
    (found,) = zxingcpp.read_barcodes(picture)
    assert found.text == invites.encode(link)


def test_a_couriers_file_is_read_as_written_and_nothing_else_is():
    packed = {"kiosk-1": [b"one", b"two"], "kiosk-2": [b"three"]}
    data = couriers.encode(packed)
    assert couriers.decode(data) == packed
    wrong = [b"", b"\xff", data[:-1], data + b"\0", cbor2.dumps([1]), cbor2.dumps({1: [b"x"]}), cbor2.dumps({"a": []})]
    wrong += [cbor2.dumps({"a": "x"}), cbor2.dumps({"a": [b"x" * 5000]}), cbor2.dumps({"a": [b"x"] * 65})]
    for each in wrong:
        with pytest.raises(Malformed) as caught:
            couriers.decode(each)
        assert caught.value.reason == "courier-file"


def test_a_statement_and_its_id_follow_from_what_it_says():
    said = statements.Statement("user:alice", ("kiosk-*",), (OPEN,), conditions={4: 3}, expires=NOW, delegate=1)
    assert statements.decode(said.encode()) == said
    (first, second) = [next(statements.ids_of("g", each.encode())) for each in (said, said)]
    assert first == second and len(first) == 8 and first.startswith("g-")
    assert len(set(statements.ids_of("g", said.encode()))) > 40
