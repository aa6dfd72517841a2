"""What an admin collects from a kiosk and carries to it: its journal, and revocations."""

import asyncio
import contextlib
import json
import re
import shutil
import signal
import sqlite3

import pytest

from admit import carrying, collect, journal_store
from admit.transport import open_transport
from admit.visit import visit
from sites import NOW, passphrase


def test_a_journal_says_who_did_what_and_by_which_rule(kiosk):
    kiosk.admit("invoke kiosk-1 open seconds=1 --as alice")
    kiosk.admit("invoke kiosk-1 open seconds=9 --as alice", code=4)
    records = kiosk.data("journal kiosk-1")
    assert [each["no"] for each in records] == list(range(len(records)))
    alices = [(each["what"], each["outcome"], each["why"]) for each in records if each["who"] == "alice"]
    rule = "GET,POST /r/open, Mon-Fri, seconds 1 to 3"
    assert ("POST /r/open", "allowed", rule) in alices
    assert ("POST /r/open", "denied", f"rule-argument; {rule}") in alices
    shown = kiosk.admit("journal kiosk-1")
    assert re.search(r"NO +TIME +WHO +WHAT +OUTCOME +WHY\n", shown.stdout)
    assert re.search(r" admin +GET /journal +allowed +everything\n", shown.stdout)
    assert "under kiosk-1's signature" in shown.stderr


def test_what_was_collected_is_shown_without_the_kiosk(kiosk):
    collected = kiosk.data("journal kiosk-1")
    kiosk.beside.do(kiosk.board.kill())
    try:
        assert kiosk.data("journal kiosk-1 --stored") == collected
        assert "(link-dropped)" in kiosk.admit("journal kiosk-1", code=6).stderr
    finally:
        kiosk.restart()


def test_following_shows_what_happens_as_it_does_and_ends_cleanly(kiosk):
    following = kiosk.start("journal kiosk-1 --follow --last 1 --json")
    assert json.loads(following.stdout.readline())["record"]["what"] == "GET /journal"
    kiosk.admit("invoke kiosk-1 open seconds=1 --as alice")
    seen = []
    while "/r/open" not in "".join(seen[-1:]):
        seen.append(json.loads(following.stdout.readline())["record"]["what"])
    assert seen[-1] in ("POST /r/open", "invocation /r/open")
    following.send_signal(signal.SIGINT)
    rest, said = following.communicate(timeout=20)
    assert following.returncode == 0 and "Traceback" not in said
    assert "Following kiosk-1; Ctrl-C ends it." in said
    assert kiosk.data("journal verify")[0]["state"] == "proven"
    assert "--follow goes to the device" in kiosk.admit("journal kiosk-1 --follow --stored", code=2).stderr


def test_only_the_latest_are_shown_if_that_is_asked_for(kiosk):
    records = kiosk.data("journal kiosk-1 --last 2")
    assert len(records) == 2 and records[1]["what"] == "GET /journal"
    assert kiosk.data("journal kiosk-1 --stored --last 0") == []


def test_what_an_ordinary_visitor_carries_out_is_collected_and_read_by_nobody_on_the_way(kiosk):
    kiosk.admit("invoke kiosk-1 open seconds=1 --as alice")
    wallet = kiosk.site.wallet("alice")
    start = journal_store.position(kiosk.site.registry, "kiosk-1")[0]

    async def visiting():
        async with visit(open_transport(kiosk.settings["ADMIT_VIA"]), wallet, "kiosk-1") as session:
            return await carrying.take_out(session, wallet, "kiosk-1", start)

    told = asyncio.run(visiting())
    assert told.pages >= 1 and told.is_all
    assert not any(b"/r/open" in page.data for page in carrying.pages(wallet))
    done, missed = collect.accept_carried(kiosk.site, kiosk.site.authority(passphrase).unseal, NOW)
    assert missed == [] and "/r/open" in [record.what for each in done for record in each.new]
    assert kiosk.data("journal verify")[0]["unseen"] == 0


def test_who_may_not_read_it(kiosk):
    denied = kiosk.admit("journal kiosk-1 --as alice", code=4).stderr
    assert "no rule names /journal (rule-none)" in denied
    assert "(registry-no-device)" in kiosk.admit("journal kiosk-7", code=3).stderr


@pytest.mark.parametrize(
    "statement, reason",
    [
        ("DELETE FROM records WHERE seq = 1", "journal-missing"),
        ("UPDATE records SET data = x'00' WHERE seq = 1", "journal-altered"),
        ("UPDATE heads SET signed = x'00'", "journal-altered"),
    ],
)
def test_a_registry_that_somebody_changed_is_told(kiosk, statement, reason):
    registry = kiosk.site.folder / "registry.sqlite"
    shutil.copy(registry, kiosk.folder / "before.sqlite")
    with contextlib.closing(sqlite3.connect(registry)) as database:
        database.execute(statement)
        database.commit()
    try:
        said = kiosk.admit("journal kiosk-1 --stored --json", code=8).stderr
        assert "the journal is not what the device signed" in said and f"({reason})" in said
    finally:
        shutil.copy(kiosk.folder / "before.sqlite", registry)


def test_a_kiosk_that_was_put_back_to_an_earlier_state_is_told(kiosk):
    earlier = kiosk.folder / "earlier"
    kiosk.beside.do(kiosk.board.kill())
    shutil.copytree(kiosk.board.storage / "data", earlier)
    kiosk.restart()
    for _ in range(2):
        kiosk.admit("login kiosk-1 --as alice --for 0")
    assert "warning" not in kiosk.admit("routines kiosk-1 --as alice").stderr  # she is a witness from now on
    kiosk.data("journal kiosk-1")
    kiosk.beside.do(kiosk.board.kill())
    later = kiosk.board.storage / "later"
    (kiosk.board.storage / "data").rename(later)
    shutil.copytree(earlier, kiosk.board.storage / "data")
    kiosk.restart()
    try:
        said = kiosk.admit("journal kiosk-1", code=8).stderr
        assert "was put back to an earlier state" in said and "(journal-rolled-back)" in said
        said = kiosk.admit("routines kiosk-1 --as alice").stderr
        assert "kiosk-1's journal is not what it was" in said and "(journal-rolled-back)" in said
    finally:
        kiosk.beside.do(kiosk.board.kill())
        shutil.rmtree(kiosk.board.storage / "data")
        later.rename(kiosk.board.storage / "data")
        kiosk.restart()


def test_a_new_kiosk_that_answers_in_the_place_of_ours_is_told(kiosk):
    board = kiosk.factory_board("new")
    said = kiosk.admit("journal kiosk-1 --via", kiosk.via(board), code=8).stderr
    assert "impostor" in said and "(device-unproven)" in said


def test_a_revocation_waits_for_a_kiosk_that_is_out_of_reach(kiosk):
    kiosk.grant("frida", [("/r/open", 3, {})])
    kiosk.beside.do(kiosk.board.kill())
    try:
        told = kiosk.admit("revoke frida --yes --json")
        assert '"state": "not yet"' in told.stdout and "(link-dropped)" in told.stdout
        assert "warning: not heard of it yet, and perhaps still letting in: kiosk-1" in told.stderr
        process = kiosk.start("sync kiosk-1")
        missed = kiosk.end(process, 6)
        assert re.search(r"kiosk-1 +1 +not yet +the link broke off", missed.stdout)
        assert "(registry-no-device)" in kiosk.admit("sync kiosk-1 kiosk-7", code=3).stderr
    finally:
        kiosk.restart()
    kiosk.admit("invoke kiosk-1 open seconds=1 --as frida")
    (row,) = kiosk.data("sync")
    assert (row["device"], row["epoch"], row["state"], row["time"]) == ("kiosk-1", 1, "delivered", "set")
    assert 0 < row["bytes"] < 600 and row["records"] > 0 and row["why"] is None
    again = kiosk.admit("sync")
    assert (again.stdout, again.stderr) == ("", "They have heard of everything.\n")
    (row,) = kiosk.data("sync kiosk-1")
    assert (row["state"], row["bytes"]) == ("current", 0)
    (row,) = kiosk.data("status")
    assert (row["state"], row["epoch"], row["held"]) == ("current", 1, 1)
    kiosk.admit("invoke kiosk-1 open seconds=1 --as frida", code=4)


def test_a_registry_that_was_put_back_is_told_that_the_kiosk_knows_more(kiosk):
    registry = kiosk.site.folder / "registry.sqlite"
    for name in ("gert", "hanna"):
        kiosk.grant(name, [("/r/open", 3, {})])
    shutil.copy(registry, kiosk.folder / "old.sqlite")
    kiosk.admit("revoke gert --yes")
    shutil.copy(kiosk.folder / "old.sqlite", registry)
    told = kiosk.admit("revoke hanna --yes").stdout
    assert "the device already holds a newer policy" in told and "(bundle-stale)" in told
    kiosk.end(kiosk.start("sync"), 7)


def test_no_secret_was_shown(kiosk):
    assert kiosk.secrets_shown() == []
