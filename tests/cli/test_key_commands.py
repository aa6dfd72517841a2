"""A device exchanges its key, and later is wiped and proves it, as an admin types it, on real boards."""

import asyncio
import shutil

import pytest

from cli_kiosk import cli_kiosk


@pytest.fixture
def kiosk(tmp_path):
    with cli_kiosk(tmp_path) as running:
        yield running


def key_of(kiosk):
    (row,) = [row for row in kiosk.data("devices") if row["id"] == "kiosk-1"]
    return row["fingerprint"]


async def ended(board):
    """The board has wiped itself, and starts again: this one's program ends."""
    while board.running:
        await asyncio.sleep(0.05)


def test_a_key_is_exchanged_and_visitors_do_not_notice(kiosk):
    kiosk.admit("invoke kiosk-1 open seconds=1 --as alice")
    kiosk.admit("sync kiosk-1")
    old, records = key_of(kiosk), len(kiosk.data("journal kiosk-1"))
    told = kiosk.data("rotate kiosk-1")
    assert (told["device"], told["old"], told["fingerprint"]) == ("kiosk-1", old, key_of(kiosk))
    assert key_of(kiosk) != old
    kiosk.admit("invoke kiosk-1 open seconds=1 --as alice")  # whose wallet knew the old key, struck off by now
    kiosk.admit("invoke kiosk-1 parcel --as bob")
    assert len(kiosk.data("journal kiosk-1")) > records
    kiosk.admit("journal verify")
    kiosk.restart()
    kiosk.admit("invoke kiosk-1 open seconds=1 --as alice")
    assert kiosk.data("status kiosk-1")[0]["state"] == "current"
    second = kiosk.data("rotate kiosk-1")
    assert second["old"] == told["fingerprint"]
    kiosk.admit("journal kiosk-1")
    kiosk.admit("journal verify")
    site, away = kiosk.folder / "site", kiosk.folder / "away"
    shutil.copytree(site / "wallets/alice", away)
    kiosk.admit("rotate --authority --yes")
    kiosk.admit("sync")
    kiosk.admit("invoke kiosk-1 open seconds=1", ADMIT_WALLET=away)  # which nobody has told
    assert (away / "anchor.cbor").read_bytes() == (site / "anchor.cbor").read_bytes()
    (mine,), (kept,) = [list(each.glob("grants/*")) for each in (away, site / "wallets/alice")]
    assert mine.read_bytes() == kept.read_bytes()
    assert kiosk.secrets_shown() == []
    told = kiosk.admit("decommission kiosk-1 --lost --yes --later")
    assert "struck off" in told.stderr and told.stdout == ""
    assert kiosk.data("status kiosk-1")[0]["state"] == "revoked"


def test_a_device_is_wiped_and_proves_it_to_anybody(kiosk):
    kiosk.admit("invoke kiosk-1 open seconds=1 --as alice")
    assert "give --yes" in kiosk.admit("decommission kiosk-1", code=2).stderr
    shutil.copytree(kiosk.folder / "site", kiosk.folder / "unaware")
    key = key_of(kiosk)
    told = kiosk.data("decommission kiosk-1 --yes --reason sold")
    assert (told["device"], told["fingerprint"], told["reason"]) == ("kiosk-1", key, "sold")
    assert kiosk.data("devices") == []
    assert kiosk.data("wipe-certificate verify kiosk-1.cbor") == told
    elsewhere = kiosk.admit("wipe-certificate verify kiosk-1.cbor", ADMIT_SITE=kiosk.folder / "none")
    assert "no site is at hand" in elsewhere.stderr and key in elsewhere.stdout
    kiosk.beside.do(ended(kiosk.board))
    left = [each.name for each in (kiosk.folder / "kiosk-1/data").iterdir()]
    assert sorted(left) == ["boots", "time-floor", "wiped"]
    assert list((kiosk.folder / "kiosk-1/keys").iterdir()) == []
    assert "kiosk-1.cbor exists already" in kiosk.admit("decommission kiosk-1 --yes", code=5).stderr
    assert kiosk.data("decommission kiosk-1 -o once-more.cbor") == told  # what was proven is kept
    assert "(registry-no-device)" in kiosk.admit("decommission kiosk-9 --yes", code=3).stderr
    kiosk.beside.do(kiosk.board.restart())
    kiosk.beside.do(kiosk.board.expect("status factory"))
    who_missed_it = {"ADMIT_SITE": kiosk.folder / "unaware"}
    assert kiosk.data("decommission kiosk-1 --yes -o again.cbor", **who_missed_it) == told
    assert (kiosk.folder / "again.cbor").read_bytes() == (kiosk.folder / "kiosk-1.cbor").read_bytes()
    certificate = (kiosk.folder / "kiosk-1.cbor").read_bytes()
    for at in (len(certificate) // 4, len(certificate) // 2):
        forged = certificate[:at] + bytes([certificate[at] ^ 1]) + certificate[at + 1 :]
        (kiosk.folder / "forged.cbor").write_bytes(forged)
        kiosk.admit("wipe-certificate verify forged.cbor", code=8)
