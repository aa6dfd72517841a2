"""The journal under any change: only exactly what the device signed is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admit_protocol import cbor, journal, journal_reader
from admit_protocol.errors import AdmitError
from fuzz.strategies import FUZZ
from fuzz.test_grant import Signer

suite = Signer()
DEVICE = bytes(64)

extras = st.dictionaries(st.integers(1, 9), st.integers(0, 2**32) | st.text(max_size=8), max_size=3)
times = st.none() | st.integers(0, 2**33)
who = st.none() | st.binary(min_size=8, max_size=8)
fields = st.tuples(times, st.integers(0, 30), who, st.text(max_size=10), st.integers(0, 9), extras)
entries = st.lists(fields, max_size=8)


def write(some_entries):
    records, head = [], journal.first_head(DEVICE)
    for seq, entry in enumerate(some_entries):
        records.append(journal.encode_record(seq, *entry))
        head = journal.chain(head, records[-1])
    return records, journal.sign_head(suite, "kiosk-1", len(records), head, 1)


def verify(records, signed):
    return journal_reader.verify(records, signed, DEVICE, "kiosk-1", suite)


@FUZZ
@given(entries)
def test_what_was_written_is_read(some_entries):
    records, signed = write(some_entries)
    parsed = verify(records, signed)
    assert [tuple(record[1:]) for record in parsed] == some_entries
    assert [journal.encode_record(*record) for record in parsed] == records


@FUZZ
@given(entries, st.randoms(use_true_random=False), st.sampled_from(["drop", "repeat", "swap", "cut", "flip", "add"]))
def test_any_change_is_named(some_entries, random, how):
    records, signed = write(some_entries)
    changed = change(list(records), random, how)
    if changed != records:
        with pytest.raises(AdmitError) as caught:
            verify(changed, signed)
        assert caught.value.reason in {
            "journal-altered",
            "journal-missing",
            "journal-reordered",
            "journal-truncated",
            "journal-beyond-head",
        }


def change(records, random, how):
    at = random.randrange(len(records) + 1)
    if how == "cut":
        return records[:at]
    if how == "add":
        return records[:at] + [random.randbytes(20)] + records[at:]
    if not records:
        return records
    at %= len(records)
    other = random.randrange(len(records))
    if how == "drop":
        return records[:at] + records[at + 1 :]
    if how == "repeat":
        return records[: at + 1] + records[at:]
    if how == "swap":
        records[at], records[other] = records[other], records[at]
        return records
    flipped = bytearray(records[at])
    flipped[random.randrange(len(flipped))] ^= 1 << random.randrange(8)
    return records[:at] + [bytes(flipped)] + records[at + 1 :]


@FUZZ
@given(st.binary(max_size=60))
def test_any_bytes_as_record(data):
    try:
        record = journal_reader.parse_record(data)
    except AdmitError as error:
        assert error.reason.startswith(("journal-record", "cbor-"))
    else:
        assert journal.encode_record(*record) == data


@FUZZ
@given(st.binary(max_size=120), st.booleans())
def test_any_bytes_as_head(data, framed):
    signed = cbor.encode(cbor.Tag(18, [b"\xa1\x01\x26", {}, data, bytes(64)])) if framed else data
    with pytest.raises(AdmitError):
        journal_reader.verify([], signed, DEVICE, "kiosk-1", suite)
