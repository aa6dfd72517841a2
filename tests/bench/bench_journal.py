"""What a record costs: the flash when it is written, an auditor when a hundred thousand of them are proven."""

from hashlib import sha256

from figures import figure, times_by_turns

from admit.journal_check import SeenHead, Story, check
from admit.suite import HostSuite
from admit_protocol import journal
from flash_journal import LIMIT, on_flash
from month_of_records import Scribe

RECORDS = 100_000
HEADS = 100


def main():
    return flash() + proof()


def flash():
    """Counted on a real littlefs with the geometry of an ESP32 whose file system holds what a device's does."""
    told = on_flash("wear")
    return [
        figure("block erases a record", told["erases"], LIMIT),
        figure("the same, if each record were appended to a file", told["erases of a plain append"]),
        figure("bytes of a record", told["bytes"], unit="B"),
        figure(f"block erases a record of {told['bytes of long ones']} B", told["erases of long ones"], LIMIT),
        figure(
            "most erases of one block, in so many records", told["erases of the worst block"], told["records"] // 20
        ),
    ]


def proof():
    """Records that are verified in a second, beside the rate of SHA-256 over the same bytes and nothing else."""
    scribe, key = Scribe(HostSuite().generate(), "kiosk-1"), b"somebody"
    extra = {journal.RULE: 0, journal.BY: b"grant id", journal.UNCERTAIN_S: 2}
    for number in range(RECORDS):
        scribe.write(1_800_000_000 + number, journal.DECISION, key, "POST /r/open", journal.ALLOWED, extra)
    heads = [
        SeenHead(
            page.first + len(page.records),
            scribe.heads[page.first + len(page.records)],
            page.first,
            page.base,
            page.signed,
            0,
        )
        for page in (scribe.page(at, at + RECORDS // HEADS) for at in range(0, RECORDS, RECORDS // HEADS))
    ]
    story = Story("kiosk-1", scribe.key.public, list(enumerate(scribe.records)), heads)

    def hashed():
        head = bytes(32)
        for each in scribe.records:
            head = sha256(head + each).digest()

    proven_s, hashed_s = times_by_turns(lambda: check(story), hashed, rounds=3)
    return [
        figure(
            f"records proven in a second, {HEADS} signatures among {RECORDS:,}", round(RECORDS / proven_s), unit="/s"
        ),
        figure("records that plain SHA-256 takes in a second", round(RECORDS / hashed_s), unit="/s"),
        figure("one to the other", proven_s / hashed_s, unit="times"),
    ]
