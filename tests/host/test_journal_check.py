"""What is stored of a journal is proven anew: any byte flipped, any record missing, moved or added shows, by name."""

import pytest

from admit import journal_check
from admit.journal_check import SeenHead, Story, Witness
from admit.suite import HostSuite
from admit_protocol import journal
from admit_protocol.errors import Unverified
from month_of_records import Scribe

DEVICE = HostSuite().generate()
NOW = 1_800_000_000


def written(count, what="POST /r/open", key=DEVICE):
    scribe = Scribe(key, "kiosk-1")
    for number in range(count):
        scribe.write(NOW + number, journal.DECISION, b"somebody", what, journal.ALLOWED, {journal.RULE: 0})
    return scribe


SCRIBE = written(300)
OTHER = written(300, "POST /r/close")


def head(scribe, count, first=0):
    page = scribe.page(first, count)
    return SeenHead(count, scribe.heads[count], first, scribe.heads[first], page.signed, NOW)


def story(records=None, heads=None, scribe=SCRIBE):
    records = list(enumerate(scribe.records)) if records is None else records
    heads = [head(scribe, 100), head(scribe, 300, 100)] if heads is None else heads
    return Story("kiosk-1", DEVICE.public, records, heads)


def reason(told, witnesses=()):
    with pytest.raises(Unverified) as caught:
        journal_check.check(told, witnesses)
    return caught.value.reason, caught.value.detail


def test_a_whole_story_is_proven():
    done = journal_check.check(story())
    assert (done.records, done.end, done.gaps, done.heads, done.ahead) == (300, 300, [], 2, [])
    assert journal_check.check(story([], [])).records == 0


def test_any_byte_flipped_is_found_and_its_place_told():
    found = set()
    for number in range(0, 300, 7):
        for at in range(len(SCRIBE.records[number])):
            data = bytearray(SCRIBE.records[number])
            data[at] ^= 1 << at % 8
            records = list(enumerate(SCRIBE.records))
            records[number] = (number, bytes(data))
            why, where = reason(story(records))
            assert why == "journal-altered" or at in (1, 2, 3), (number, at, why)
            assert why in ("journal-altered", "journal-reordered")
            found.add((why, "0 to 99" in where, "100 to 299" in where))
    assert ("journal-altered", True, False) in found and ("journal-altered", False, True) in found


def test_any_record_missing_is_found():
    for number in range(300):
        records = [each for each in enumerate(SCRIBE.records) if each[0] != number]
        expected = "journal-truncated" if number == 299 else "journal-missing"
        assert reason(story(records))[0] == expected, number


def test_any_number_of_records_missing_from_the_end_is_found():
    for number in range(300):
        assert reason(story(list(enumerate(SCRIBE.records[:number]))))[0] in ("journal-truncated", "journal-missing")


def test_records_that_changed_places_are_found():
    for number in (0, 50, 99, 150, 298):
        records = list(SCRIBE.records)
        records[number], records[number + 1] = records[number + 1], records[number]
        why, where = reason(story(list(enumerate(records))))
        assert (why, f"record {number + 1} stands in the place of {number}" in where) == ("journal-reordered", True)


def test_records_that_were_added_are_under_no_head():
    records = list(enumerate(written(301).records))
    assert reason(story(records))[0] == "journal-beyond-head"
    assert reason(story(heads=[]))[0] == "journal-beyond-head"
    assert reason(story(heads=[head(SCRIBE, 100)]))[0] == "journal-beyond-head"


def test_a_story_of_another_key_is_found():
    mallory = HostSuite().generate()
    forged = written(300, key=mallory)
    assert reason(story(scribe=forged))[0] == "cose-signature"
    assert reason(story(heads=[head(SCRIBE, 100), head(forged, 300, 100)]))[0] == "cose-signature"
    assert reason(story(list(enumerate(OTHER.records))))[0] == "journal-altered"


def test_a_head_under_another_count_or_another_devices_is_found():
    good = head(SCRIBE, 300)
    for wrong in (
        SeenHead(299, SCRIBE.heads[299], 0, SCRIBE.heads[0], good.signed, NOW),
        SeenHead(300, SCRIBE.heads[299], 0, SCRIBE.heads[0], good.signed, NOW),
        SeenHead(300, good.head, 0, SCRIBE.heads[0], good.signed[:-1], NOW),
    ):
        assert reason(story(heads=[wrong]))[0] == "journal-altered"
    elsewhere = journal.sign_head(DEVICE, "kiosk-2", 300, SCRIBE.heads[300], NOW)
    assert reason(story(heads=[SeenHead(300, good.head, 0, good.base, elsewhere, NOW)]))[0] == "journal-other-device"


def test_a_gap_that_was_told_when_it_arose_is_one_and_no_other():
    told = list(enumerate(SCRIBE.records))
    heads = [head(SCRIBE, 100), head(SCRIBE, 300, 160)]
    done = journal_check.check(story(told[:100] + told[160:], heads))
    assert (done.records, done.end, done.gaps) == (240, 300, [(100, 159)])
    assert journal_check.check(story(told[160:], heads[1:])).gaps == [(0, 159)]
    assert reason(story(told[:100] + told[161:], heads))[0] == "journal-missing"
    assert reason(story(told[:99] + told[160:], heads))[0] == "journal-missing"
    wrong = SeenHead(300, SCRIBE.heads[300], 160, bytes(32), heads[1].signed, NOW)
    assert reason(story(told[:100] + told[160:], [heads[0], wrong]))[0] == "journal-altered"


def test_everything_after_a_head_dropped_is_a_gap_at_the_end():
    told = list(enumerate(SCRIBE.records))[:100]
    done = journal_check.check(story(told, [head(SCRIBE, 100), head(SCRIBE, 300, 300)]))
    assert (done.records, done.end, done.gaps) == (100, 300, [(100, 299)])
    assert reason(story(told, [head(SCRIBE, 100), head(SCRIBE, 300, 100)]))[0] == "journal-truncated"


def test_a_witness_of_another_story_is_believed_rather_than_the_registry():
    other = Witness("kiosk-1", OTHER.page(0, 250).signed, "alice's wallet")
    why, where = reason(story(), [other])
    assert why == "journal-rewritten" and "alice's wallet saw another story of the first 250 records" in where
    same = Witness("kiosk-1", SCRIBE.page(0, 250).signed, "alice's wallet")
    assert journal_check.check(story(), [same]).ahead == []
    elsewhere = Witness("kiosk-2", b"nothing", "bob's wallet")
    assert journal_check.check(story(), [elsewhere]).records == 300


def test_a_witness_of_more_than_was_collected_is_told():
    ahead = Witness("kiosk-1", SCRIBE.page(0, 300).signed, "alice's wallet")
    done = journal_check.check(story(list(enumerate(SCRIBE.records[:100])), [head(SCRIBE, 100)]), [ahead])
    assert done.ahead == [(300, "alice's wallet")]


def test_what_a_witness_keeps_must_be_the_devices():
    mallory = written(10, key=HostSuite().generate())
    assert reason(story(), [Witness("kiosk-1", mallory.page().signed, "a wallet")])[0] == "cose-signature"
    assert reason(story(), [Witness("kiosk-1", b"\x00", "a wallet")])[0] == "journal-witness"


def test_each_record_is_hashed_once(monkeypatch):
    counted = []
    chain = journal.chain
    monkeypatch.setattr(journal, "chain", lambda head, record: counted.append(0) or chain(head, record))
    heads = [head(SCRIBE, count) for count in range(10, 301, 10)]
    counted.clear()
    assert journal_check.check(story(heads=heads)).heads == 30
    assert len(counted) == 300
