"""What a wallet carries for its site's authority: heads as witnesses, and pages that it cannot read."""

import asyncio
from types import SimpleNamespace

import pytest

from admit import admin, carrying, collect, journal_store
from admit.suite import HostSuite
from admit_protocol import cbor, cose_encrypt, journal
from admit_protocol.errors import AdmitError
from month_of_records import Scribe
from sites import NOW, SEALED

suite = HostSuite()
DEVICE = suite.generate()


def reason(call, *arguments):
    with pytest.raises(AdmitError) as caught:
        call(*arguments)
    return caught.value.reason


def written(count, what=""):
    scribe = Scribe(DEVICE, "kiosk-1")
    for number in range(count):
        scribe.write(NOW + number, journal.BOOT, None, what, journal.DONE)
    return scribe


class Kiosk:
    """A session with a device that hands out pages of ten records."""

    def __init__(self, anchor, scribe):
        self.anchor, self.scribe, self.asked = anchor, scribe, []

    async def request(self, method, path, query):
        self.asked.append(query)
        start = int(query.removeprefix("from="))
        count = len(self.scribe.records)
        after = min(max(start, 0) + 10, count)
        page = self.scribe.page(start, after) if start < count else None
        body = {1: 4, 2: None, 3: self.scribe.page().signed, 4: None, 5: after}
        if page:
            inside = {1: page.first, 2: page.base, 3: page.records, 4: page.signed}
            body[2] = cose_encrypt.seal(suite, self.anchor.ecdh_public, cbor.encode(inside))
        return SimpleNamespace(payload=cbor.encode(body | self.changed))

    changed: dict = {}


@pytest.fixture
def wallet(site, signer):
    row = admin.commission(site, signer, "kiosk-1", DEVICE.public, SEALED, NOW)
    owner = site.wallet("admin")
    owner.add_device(row)
    return owner


def take_out(kiosk, wallet):
    return asyncio.run(carrying.take_out(kiosk, wallet, "kiosk-1"))


def test_only_what_is_new_travels(site, signer, wallet):
    scribe = written(25)
    kiosk = Kiosk(site.anchor, scribe)
    told = take_out(kiosk, wallet)
    assert (told.pages, told.epoch, told.is_all) == (3, 4, True)
    assert kiosk.asked == ["from=0", "from=10", "from=20", "from=25"]
    assert [(page.first, page.after) for page in carrying.pages(wallet)] == [(0, 10), (10, 20), (20, 25)]
    assert not any(scribe.records[0] in page.data for page in carrying.pages(wallet))
    done, missed = collect.accept_carried(site, signer.unseal, NOW)
    assert ([len(each.new) for each in done], missed, carrying.pages(wallet)) == ([10, 10, 5], [], [])
    assert journal_store.verify(site.registry, "kiosk-1").records == 25
    kiosk.asked.clear()
    assert take_out(kiosk, wallet).pages == 0 and kiosk.asked == ["from=25"]
    scribe.write(NOW, journal.BOOT, None, "", journal.DONE)
    assert take_out(kiosk, wallet).pages == 1
    collect.accept_carried(site, signer.unseal, NOW)
    assert journal_store.verify(site.registry, "kiosk-1").records == 26
    assert len(list((wallet.folder / "carried").glob("*/*"))) == 1  # the mark of where it left off


def test_a_visit_takes_so_much_and_the_next_one_the_rest(site, wallet):
    kiosk = Kiosk(site.anchor, written(130))
    told = take_out(kiosk, wallet)
    assert (told.pages, told.is_all, carrying.next_record(wallet, "kiosk-1")) == (8, False, 80)
    assert (take_out(kiosk, wallet).is_all, carrying.next_record(wallet, "kiosk-1")) == (True, 130)


def test_a_page_that_cannot_be_kept_stays_and_the_others_are(site, signer, wallet):
    take_out(Kiosk(site.anchor, written(25)), wallet)
    second = carrying.pages(wallet)[1]
    second.file.write_bytes(second.data[:-1])
    done, missed = collect.accept_carried(site, signer.unseal, NOW)
    assert [len(each.new) for each in done] == [10, 5]
    assert [(page.first, error.reason) for page, error in missed] == [(10, "cbor-truncated")]
    assert [page.first for page in carrying.pages(wallet)] == [10]
    assert journal_store.verify(site.registry, "kiosk-1").gaps == [(10, 19)]


def test_the_newest_head_stays_with_the_wallet_and_holds_the_device_to_it(site, wallet):
    take_out(Kiosk(site.anchor, written(25)), wallet)
    (witness,) = collect.witnesses(site)
    assert (witness.device_id, witness.where) == ("kiosk-1", "admin's wallet")
    assert reason(take_out, Kiosk(site.anchor, written(24)), wallet) == "journal-rolled-back"
    assert reason(take_out, Kiosk(site.anchor, written(25, "other")), wallet) == "journal-rewritten"
    assert collect.witnesses(site) == [witness]
    scribe = written(24)
    assert (
        reason(journal_store.collect, site.registry, "kiosk-1", scribe.page(), NOW, collect.witnesses(site))
        == "journal-rolled-back"
    )


def test_a_device_that_was_given_a_new_key_begins_anew(site, signer, wallet):
    take_out(Kiosk(site.anchor, written(25)), wallet)
    key = suite.generate()
    wallet.add_device(signer.issue_credential("kiosk-1", key.public, SEALED, NOW))
    scribe = Scribe(key, "kiosk-1")
    for number in range(3):
        scribe.write(NOW + number, journal.BOOT, None, "", journal.DONE)
    assert take_out(Kiosk(site.anchor, scribe), wallet).pages == 1
    assert [(page.first, page.after) for page in carrying.pages(wallet)].count((0, 3)) == 1
    assert len(carrying.pages(wallet)) == 4 and len(carrying.heads(wallet)) == 1


def test_whoever_only_visits_is_a_witness_too(site, wallet):
    kiosk = Kiosk(site.anchor, written(25))
    asyncio.run(carrying.witness(kiosk, wallet, "kiosk-1"))
    assert len(carrying.heads(wallet)) == 1 and carrying.pages(wallet) == []
    assert reason(asyncio.run, carrying.witness(Kiosk(site.anchor, written(9)), wallet, "kiosk-1")) == (
        "journal-rolled-back"
    )


def test_a_head_that_the_device_did_not_sign_is_not_kept(site, wallet):
    forged = Scribe(suite.generate(), "kiosk-1").page().signed
    kiosk = Kiosk(site.anchor, written(5))
    for changed, expected in (
        ({3: forged}, "cose-signature"),
        ({3: b"\x00"}, "cose-tag"),
        ({3: None}, "bundle-answer"),
        ({1: None}, "bundle-answer"),
        ({5: 0}, "bundle-answer"),
        ({5: 6}, "bundle-answer"),
        ({2: 1}, "bundle-answer"),
    ):
        kiosk.changed = changed
        assert reason(take_out, kiosk, wallet) == expected, changed
    assert carrying.pages(wallet) == []


def test_who_does_not_know_the_device_carries_nothing(site):
    assert reason(take_out, Kiosk(site.anchor, written(5)), site.wallet("admin")) == "wallet-no-device"
