"""`admit report access`: the same month as a page, as rows and as data."""

import csv
import json

import pytest

from admit import admin, journal_store
from admit.suite import HostSuite
from admit_protocol import journal
from month_of_records import BEGIN, NOW, Scribe
from sites import SEALED, passphrase

FORMULA = "=cmd|' /C calc'!A0"


@pytest.fixture
def scribe(site):
    key = HostSuite().generate()
    admin.commission(site, site.authority(passphrase), "kiosk-1", key.public, SEALED, BEGIN)
    found = Scribe(key, "kiosk-1")
    for number in range(3):
        found.write(BEGIN + number, journal.LOGIN, b"\x01" * 8, "", journal.DONE)
    found.write(BEGIN + 9, journal.DECISION, b"\x01" * 8, FORMULA, journal.DENIED, {journal.REASON: "rule-none"})
    journal_store.store(site.registry, "kiosk-1", found.page(), NOW)
    return found


def test_the_files_name_says_the_form(scribe, run, tmp_path):
    for name, begin in (("a.html", "<!doctype html>"), ("a.csv", "time,unix_time"), ("a.json", "{")):
        result = run("report", "access", "--month", "2026-11", "-o", str(tmp_path / name))
        assert (tmp_path / name).read_text().startswith(begin)
        assert (result.stdout, result.stderr) == ("", f"{tmp_path / name}: 4 records of 1 device.\n")
    assert run("report", "access", "--month", "2026-11").stdout.startswith("<!doctype html>")
    assert "does not end in .html" in run("report", "access", "--month", "2026-11", "-o", "a.pdf", code=2).stderr
    run("report", "access", "--month", "2026-11", "-o", str(tmp_path / "a.txt"), "--format", "csv")
    assert (tmp_path / "a.txt").read_text().startswith("time,")


def test_csv_has_a_row_for_each_record_and_no_formula(scribe, run):
    rows = list(csv.DictReader(run("report", "access", "--month", "2026-11", "--format", "csv").stdout.splitlines()))
    assert [row["kind"] for row in rows] == ["login"] * 3 + ["decision"]
    assert rows[3]["what"] == "'" + FORMULA and rows[3]["reason"] == "rule-none"
    assert rows[0]["unix_time"] == str(BEGIN) and rows[0]["time"] == "2026-11-01 00:00"


def test_json_has_everything(scribe, run):
    told = json.loads(run("report", "access", "--month", "2026-11", "--format", "json").stdout)
    assert (told["schema"], told["site"], told["month"], told["zone"]) == (1, "Test site", "2026-11", "Europe/Berlin")
    assert told["totals"]["denied"] == 1 and len(told["events"]) == 4


def test_what_was_meant_must_be_said_so_that_it_can_be_found(scribe, run):
    assert "'november' is not like 2026-11" in run("report", "access", "--month", "november", code=2).stderr
    assert "(registry-no-device)" in run("report", "access", "--month", "2026-11", "--device", "kiosk-7", code=3).stderr
    assert (
        run("report", "access", "--month", "2026-11", "--device", "kiosk-1", "--format", "csv").stdout.count("\n") == 5
    )


def test_a_journal_that_was_tampered_with_is_told_on_the_page_and_beside_it(scribe, run, site, tmp_path):
    tamper(site)
    result = run("report", "access", "--month", "2026-11", "-o", str(tmp_path / "a.html"))
    assert "warning: kiosk-1 is not proven, and not counted" in result.stderr
    assert "kiosk-1 is not proven and not counted" in (tmp_path / "a.html").read_text()


def tamper(site):
    from admit.registry_models import RecordRow

    with site.registry._change() as session:
        session.delete(session.get(RecordRow, ("kiosk-1", 1)))


def test_verify_proves_what_was_collected_without_going_anywhere(scribe, run, site):
    result = run("journal", "verify")
    assert "kiosk-1  proven  4" in result.stdout
    assert result.stderr == "4 records of 1 device, each in its place, under its device's signature.\n"
    (row,) = json.loads(run("journal", "verify", "kiosk-1", "--json").stdout)["verified"]
    assert (row["state"], row["records"], row["missing"], row["gaps"], row["unseen"]) == ("proven", 4, 0, [], 0)
    assert "(registry-no-device)" in run("journal", "verify", "kiosk-7", code=3).stderr
    tamper(site)
    result = run("journal", "verify", code=8)
    assert "tampered" in result.stdout and "(journal-missing)" in result.stderr


def test_verify_holds_it_against_what_wallets_have_seen(scribe, run, site):
    heads = site.wallet("admin").folder / "heads"
    heads.mkdir()
    file = heads / f"{b'kiosk-1'.hex()}.cose"
    scribe.write(BEGIN + 20, journal.LOGOUT, b"\x01" * 8, "", journal.DONE)
    file.write_bytes(scribe.page().signed)
    result = run("journal", "verify")
    assert "admin's wallet saw 5 records: collect the rest" in result.stdout
    assert "warning: at its last visit kiosk-1 had written 1 record more than collected" in result.stderr
    other = Scribe(scribe.key, "kiosk-1")
    for number in range(3):
        other.write(BEGIN + number, journal.LOGIN, b"\x09" * 8, "", journal.DONE)
    file.write_bytes(other.page().signed)
    assert "admin's wallet saw another story of the first 3 records" in run("journal", "verify", code=8).stderr


def test_verify_without_devices(site, run):
    assert run("journal", "verify").stdout == ""
    assert json.loads(run("journal", "verify", "--json").stdout)["verified"] == []


def test_verify_is_no_name_of_a_device(run):
    assert "Prove what was collected" in run("journal", "verify", "--help").stdout
    assert "journal verify" in run("--help").stdout
    from admit_protocol.errors import LocalError

    with pytest.raises(LocalError) as caught:
        admin.check_name("verify")
    assert caught.value.reason == "admin-name"
