"""The journal: whatever is changed, taken out, moved or cut off shows, with its own reason."""

from admit_protocol import cbor, cose, journal, journal_reader
from admit_protocol.errors import AdmitError, Malformed, Unverified
from admit_protocol.kdf import sha256
from admit_protocol.suite import Suite
from support import raises

drawn = [0]


def random(length):
    """Not random at all, so that every run is the same."""
    drawn[0] += 1
    return b"".join([sha256(b"draw", cbor.encode([drawn[0], i])) for i in range(length // 32 + 1)])[:length]


suite = Suite(random)
device, other = suite.private_key(sha256(b"device")), suite.private_key(sha256(b"other"))
NOW = 1_800_000_000
ALICE = b"alice's."


def write(seq):
    denied = seq % 3 == 2
    extra = {journal.REASON: "rule-none"} if denied else {journal.RULE: 0}
    outcome = journal.DENIED if denied else journal.ALLOWED
    return journal.encode_record(seq, NOW + seq, journal.DECISION, ALICE, "POST /r/open", outcome, extra)


RECORDS = [journal.encode_record(0, None, journal.BOOT, None, "", journal.DONE, {})]
RECORDS += [write(seq) for seq in range(1, 8)]


def head_after(records, head=None):
    head = head or journal.first_head(device.public)
    for record in records:
        head = journal.chain(head, record)
    return head


def sign(records, key=device, device_id="kiosk-1", count=None, head=None):
    count = len(records) if count is None else count
    return journal.sign_head(key, device_id, count, head or head_after(records), NOW)


SIGNED = sign(RECORDS)


def verify(records, signed=SIGNED, device_id="kiosk-1", start=None):
    return journal_reader.verify(records, signed, device.public, device_id, suite, start)


def test_a_whole_journal_is_believed():
    records = verify(RECORDS)
    assert [record.seq for record in records] == list(range(8))
    assert records[0] == (0, None, journal.BOOT, None, "", journal.DONE, {})
    assert records[2] == (2, NOW + 2, journal.DECISION, ALICE, "POST /r/open", journal.DENIED, {1: "rule-none"})


def test_an_empty_journal_is_believed():
    assert verify([], sign([])) == []


def test_the_chain_begins_with_the_device_and_binds_each_record():
    first = sha256(b"admit:journal", device.public)
    assert journal.first_head(device.public) == first
    assert journal.chain(first, RECORDS[0]) == sha256(first, RECORDS[0])
    assert journal.first_head(other.public) != first


def test_the_rest_of_a_journal_is_believed_from_a_head_on():
    start = (3, head_after(RECORDS[:3]))
    assert [record.seq for record in verify(RECORDS[3:], start=start)] == [3, 4, 5, 6, 7]
    with raises(Unverified, "journal-altered"):
        verify(RECORDS[3:], start=(3, head_after(RECORDS[:2])))
    with raises(Unverified, "journal-missing"):
        verify(RECORDS[4:], start=start)


def test_any_byte_flipped():
    for i in range(len(RECORDS)):
        for at in range(len(RECORDS[i])):
            data = bytearray(RECORDS[i])
            data[at] ^= 0x01
            records = RECORDS[:i] + [bytes(data)] + RECORDS[i + 1 :]
            reason = reason_of(records)
            # Where the flipped bit is in the record's own number, the journal looks like one in another order.
            assert reason in ("journal-altered", "journal-reordered", "journal-missing"), (i, at, reason)
            assert reason == "journal-altered" or at == 1, (i, at, reason)


def reason_of(records):
    try:
        verify(records)
    except AdmitError as error:
        return error.reason
    return "believed"


def test_any_record_missing():
    for i in range(len(RECORDS) - 1):
        with raises(Unverified, "journal-missing"):
            verify(RECORDS[:i] + RECORDS[i + 1 :])


def test_the_end_cut_off():
    for length in range(len(RECORDS)):
        with raises(Unverified, "journal-truncated"):
            verify(RECORDS[:length])


def test_records_in_another_order():
    for i in range(len(RECORDS) - 1):
        with raises(Unverified, "journal-reordered"):
            verify(RECORDS[:i] + [RECORDS[i + 1], RECORDS[i]] + RECORDS[i + 2 :])
    with raises(Unverified, "journal-reordered"):
        verify(RECORDS[:3] + RECORDS[2:])


def test_a_record_added():
    with raises(Unverified, "journal-beyond-head"):
        verify(RECORDS + [write(8)])


def test_a_record_forged():
    forged = journal.encode_record(3, NOW, journal.DECISION, b"mallory.", "POST /r/open", journal.ALLOWED, {})
    with raises(Unverified, "journal-altered"):
        verify(RECORDS[:3] + [forged] + RECORDS[4:])


def test_another_devices_head():
    with raises(Unverified, "journal-other-device"):
        verify(RECORDS, sign(RECORDS, device_id="kiosk-2"))
    with raises(Unverified, "journal-other-device"):
        verify(RECORDS, device_id="kiosk-2")
    with raises(Unverified, "cose-signature"):
        verify(RECORDS, sign(RECORDS, key=other))


def test_a_head_that_was_signed_as_something_else():
    payload = journal_reader.parse_head(SIGNED).sign1.payload
    for label in (cose.BUNDLE, cose.RELEASE, cose.GRANT, b""):
        with raises(Unverified, "cose-signature"):
            verify(RECORDS, cose.sign1(device, payload, label))


def test_an_older_head():
    with raises(Unverified, "journal-beyond-head"):
        verify(RECORDS, sign(RECORDS[:5]))


def test_a_device_that_counts_wrongly_is_not_believed_even_if_it_signs():
    wrong = RECORDS[:3] + [write(9)]
    with raises(Malformed, "journal-record"):
        verify(wrong, sign(wrong))


def test_what_is_not_a_record_does_not_parse():
    good = [1, NOW, journal.LOGIN, ALICE, "", journal.DONE, {}]
    for at, value in (
        (0, None),
        (0, -1),
        (0, True),
        (1, "now"),
        (2, -1),
        (2, None),
        (3, "alice"),
        (4, b""),
        (4, None),
        (5, -1),
        (6, []),
        (6, None),
    ):
        with raises(Malformed, "journal-record"):
            journal_reader.parse_record(cbor.encode(good[:at] + [value] + good[at + 1 :]))
    for value in (good[:6], good + [0], {}, 1):
        with raises(Malformed, "journal-record"):
            journal_reader.parse_record(cbor.encode(value))


def test_what_is_not_a_head_does_not_parse():
    good = ["kiosk-1", 0, bytes(32), NOW]
    for at, value in ((0, b"k"), (1, -1), (1, None), (1, False), (2, bytes(31)), (2, "head"), (3, "now")):
        payload = cbor.encode(good[:at] + [value] + good[at + 1 :])
        with raises(Malformed, "journal-head-shape"):
            journal_reader.parse_head(cose.sign1(device, payload, cose.JOURNAL_HEAD))
    for value in (good[:3], good + [0], {}):
        with raises(Malformed, "journal-head-shape"):
            journal_reader.parse_head(cose.sign1(device, cbor.encode(value), cose.JOURNAL_HEAD))


def test_a_record_goes_there_and_back():
    for data in RECORDS:
        assert journal.encode_record(*journal_reader.parse_record(data)) == data
