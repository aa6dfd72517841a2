"""Releases: the signed manifest, the list of files, and what one list makes of another."""

from hashlib import sha256

from admit_protocol import cbor, cose, issuing, release
from admit_protocol.anchor import Anchor
from admit_protocol.errors import AdmitError, Malformed, Untrusted, Unverified
from admit_protocol.suite import Suite
from memory_ports import Dice
from support import raises

SUITE = Suite(Dice(b"release").random)
AUTHORITY, OTHER = SUITE.generate(), SUITE.generate()
SITE = Anchor(AUTHORITY.public, OTHER.public, "North")
NOW = 1_800_000_000


def row(name, content=b""):
    return name, len(content), sha256(content).digest()


ROWS = [row("admit_device/device.mpy", b"app"), row("routines.mpy", b"door"), row("start.mpy", b"start")]


def made(key=AUTHORITY, site=SITE, rows=ROWS, image=None, **changed):
    told = {"version": "1.4.0", "sequence": 7, "floor": 5, "boards": ["esp32_generic", "virtual"], "port": "virtual"}
    told.update({"bytecode": 6, "room": 9000, "issued_at": NOW, "expires": NOW + 1000})
    told.update(changed)
    return issuing.release(key, site.site_id, rows=rows, image=image, **told)


def fields():
    return cbor.decode(cose.parse_sign1(made()).payload)


def test_a_manifest_says_what_was_signed():
    told = release.parse(made())
    release.verify(told, SITE, SUITE)
    assert (told.version, told.sequence, told.floor, told.boards) == ("1.4.0", 7, 5, ["esp32_generic", "virtual"])
    assert (told.port, told.bytecode, told.total, told.room) == ("virtual", 6, 12, 9000)
    assert (told.issued_at, told.expires, told.image) == (NOW, NOW + 1000, None)
    assert told.list_hash == sha256(release.encode_list(ROWS)).digest()
    whole = b"".join([name.encode() + b"\0" + digest for name, _, digest in ROWS])
    assert told.set_hash == sha256(whole).digest()


def test_an_image_of_micropython_may_be_named():
    assert release.parse(made(image=(1_600_000, bytes(32)))).image == [1_600_000, bytes(32)]


def test_the_same_input_gives_the_same_payload():
    first, second = [cose.parse_sign1(made(rows=rows)).payload for rows in (ROWS, [ROWS[2], ROWS[0], ROWS[1]])]
    assert first == second


def test_only_the_sites_authority_makes_one():
    with raises(Unverified, "cose-signature"):
        release.verify(release.parse(made(OTHER)), SITE, SUITE)
    strangers = Anchor(OTHER.public, OTHER.public, "South")
    with raises(Untrusted, "release-other-site"):
        release.verify(release.parse(made(site=strangers)), SITE, SUITE)


def test_no_bit_of_it_may_change():
    data = made()
    for at in range(0, len(data), 7):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        try:
            release.verify(release.parse(bytes(changed)), SITE, SUITE)
        except AdmitError:
            continue
        raise AssertionError(at)


def test_every_field_is_there_and_means_something():
    good = fields()
    wrong = {
        1: bytes(15),
        2: "",
        3: 4,
        4: None,
        5: [],
        6: 6,
        7: -1,
        8: bytes(31),
        9: None,
        10: 0,
        11: True,
        12: NOW + 1000,
    }
    cases = [(number, value) for number, value in wrong.items()]
    cases += [(2, "v" * 33), (4, 8), (5, ["b", "a"]), (5, ["a", "a"]), (5, [1]), (5, ["b%02d" % n for n in range(17)])]
    cases += [(10, 1 << 40), (14, []), (14, [0, bytes(32)]), (14, [1, bytes(31)]), (14, [bytes(32), 1]), (14, False)]
    cases += [(13, None), (15, 1)]
    for number, value in cases:
        changed = dict(good)
        changed[number] = value
        with raises(Malformed, "release-structure"):
            release.parse(cose.sign1(AUTHORITY, cbor.encode(changed), cose.RELEASE))
    for number in good:
        less = {key: value for key, value in good.items() if key != number}
        with raises(Malformed, "release-structure"):
            release.parse(cose.sign1(AUTHORITY, cbor.encode(less), cose.RELEASE))


# The list


def test_a_list_is_read_as_it_was_written():
    data = release.encode_list([ROWS[2], ROWS[0], ROWS[1]])
    assert release.parse_list(data) == ROWS
    assert release.parse_list(b"") == []


def test_a_list_in_another_order_or_form_is_none():
    rows = [cbor.encode(list(each)) for each in ROWS]
    for wrong in (rows[1] + rows[0], rows[0] + rows[0], cbor.encode(["a", 1]), cbor.encode(["a", -1, bytes(32)])):
        with raises(Malformed, "release-list"):
            release.parse_list(wrong)
    for wrong in (["a", True, bytes(32)], ["a", 1, bytes(31)], ["a", 1 << 21, bytes(32)], [b"a", 1, bytes(32)], {}):
        with raises(Malformed, "release-list"):
            release.parse_list(cbor.encode(wrong))
    with raises(Malformed, "release-list"):
        release.encode_list([row("%03d" % number) for number in range(release.MAX_FILES + 1)])


def test_names_stay_within_the_slot():
    for good in ("a", "start.mpy", "admit_device/device.mpy", "a-b/c.d/e", "n" * 64):
        assert release.is_name(good), good
    for wrong in ("", "/a", "a/", "a//b", "..", "../slot", "a/../b", ".a", "a/.b", "A", "a b", "a~", "a\\b", "é", 5):
        assert not release.is_name(wrong), wrong
    assert not release.is_name("n" * 65)


# Deltas

BASE = bytes(range(32))


def changed_by(old, new):
    data = release.delta(old, new, BASE)
    assert release.apply_delta(old, BASE, data) == sorted(new)
    return data


def test_a_delta_makes_the_new_list_of_the_old_one():
    new = [row("admit_device/device.mpy", b"another"), row("b", b"added"), ROWS[2]]
    assert len(cbor.decode_sequence(changed_by(ROWS, new))) == 4  # the base, one changed, one added, one gone
    assert len(cbor.decode_sequence(changed_by(ROWS, ROWS))) == 1
    changed_by(ROWS, ROWS[:1])
    changed_by(ROWS[1:], ROWS + [row("zz")])


def test_one_file_of_many_is_told_in_some_hundred_bytes():
    many = [row("admit_device/module_%02d.mpy" % number, b"x" * number) for number in range(90)]
    new = many[:40] + [row("admit_device/module_40.mpy", b"changed")] + many[41:]
    assert len(changed_by(many, new)) < 150


def test_without_a_base_it_says_all_itself():
    data = release.delta(ROWS, ROWS)
    assert release.apply_delta([], None, data) == release.apply_delta(ROWS[:1], BASE, data) == ROWS


def test_a_delta_for_another_set_is_refused():
    data = release.delta(ROWS, ROWS[:1], BASE)
    for base in (None, bytes(32)):
        with raises(Untrusted, "release-base"):
            release.apply_delta(ROWS, base, data)
    for head in (5, bytes(31), [BASE]):
        with raises(Malformed, "release-delta"):
            release.apply_delta(ROWS, BASE, cbor.encode(head))
    with raises(Malformed, "release-delta"):
        release.apply_delta(ROWS, BASE, b"")


def test_a_delta_has_one_form():
    same, gone, other = list(ROWS[0]), [ROWS[1][0]], ["zz", 1, bytes(32)]
    for entries in ([same], [["nobody"]], [other, gone], [gone, gone], [[]], ["text"], [[5]]):
        with raises(Malformed, "release-delta"):
            release.apply_delta(ROWS, BASE, cbor.encode_sequence([BASE] + entries))
    for entry in (["zz", 1], ["zz", 1, bytes(32), 1]):
        with raises(Malformed, "release-list"):
            release.apply_delta(ROWS, BASE, cbor.encode_sequence([BASE, entry]))


def test_items_come_in_whatever_pieces():
    data = release.delta([], ROWS * 1)
    for size in (1, 3, 100, 1000):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        found = list(release.items(lambda n, left=pieces: left.pop(0) if left else b""))
        assert found == cbor.decode_sequence(data), size
    with raises(Malformed, "cbor-truncated"):
        list(release.items(lambda n, left=[data[:-1]]: left.pop() if left else b""))
