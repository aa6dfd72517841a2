"""`admit health`, `admit diagnose`, `admit logs`, as an admin types them: real processes, a real kiosk."""

import json
import signal
import time
import zipfile

import cbor2

from admit import health
from cli_kiosk import LIMIT_S, secrets_under

FIELDS = {"version", "slot", "uptime_s", "heap_free", "heap_low", "storage", "radio", "last_exception", "sensors"}


def test_one_device_tells_how_it_is_and_what_looks_wrong_is_said(kiosk):
    told = kiosk.data("health kiosk-1")
    assert FIELDS <= set(told) and (told["device"], told["state"]) == ("kiosk-1", "warn")
    (only,) = told["findings"]  # it believes that it is a Wednesday
    assert only["words"].startswith("Its clock is off by ") and only["fix"] == "admit sync sets it"
    assert told["storage"]["free"] > 0 and told["heap_low"] > 0 and told["radio"]["connections"] >= 0
    shown = kiosk.admit("health kiosk-1")
    assert "bytes free" in shown.stdout and "reset cause        power" in shown.stdout
    assert shown.stderr.startswith("warn: Its clock is off by ") and shown.stderr.count("\n") == 1


def test_what_was_told_is_kept_and_shown_again_without_going_there(kiosk):
    before = len(kiosk.site.registry.health("kiosk-1"))
    kiosk.admit("health kiosk-1")
    row = kiosk.site.registry.health("kiosk-1")[-1]
    assert len(kiosk.site.registry.health("kiosk-1")) == before + 1
    assert abs(row.at - time.time()) < LIMIT_S and health.parse(row.data)["board"] == "virtual"
    kiosk.admit("health kiosk-1", code=6, ADMIT_VIA="udp://127.0.0.1:1")
    told = kiosk.data("health kiosk-1 --stored", ADMIT_VIA="udp://127.0.0.1:1")
    assert (told["device"], told["board"], told["state"]) == ("kiosk-1", "virtual", "silent")
    assert "(health-none)" in kiosk.admit("health kiosk-2 --stored", code=3).stderr


def test_a_fleet_is_a_table_and_who_does_not_answer_is_a_row_of_it(kiosk):
    shown = kiosk.admit("health kiosk-*").stdout.splitlines()
    assert shown[0].split()[:3] == ["DEVICE", "STATE", "VERSION"]
    assert shown[1].split()[:3] == ["kiosk-1", "warn", "0.1.0"]
    (row,) = kiosk.data("health kiosk-*")
    assert len(row["findings"]) == 1 and row["boots"] == row["starts"]
    silent = kiosk.end(kiosk.start("health kiosk-* --json", ADMIT_VIA="udp://127.0.0.1:1"), code=6)
    (row,) = json.loads(silent.stdout)["devices"]
    assert (row["state"], row["heap"]) == ("silent", None) and "could not be asked" in row["looks"]
    assert kiosk.site.registry.health("kiosk-1")[-1].data is None


def test_a_pattern_that_nobody_has_is_not_found(kiosk):
    assert "(registry-no-device)" in kiosk.admit("health lobby-*", code=3).stderr


def test_watching_prints_a_line_a_round_until_ctrl_c(kiosk):
    watching = kiosk.start("health kiosk-1 --watch --every 2 --json")
    lines = [json.loads(watching.stdout.readline()) for _ in range(2)]
    watching.send_signal(signal.SIGINT)
    assert watching.wait(LIMIT_S) == 0
    assert [each["device"]["device"] for each in lines] == ["kiosk-1"] * 2
    assert lines[1]["device"]["uptime_s"] >= lines[0]["device"]["uptime_s"] + 1


def test_the_page_has_plots_and_asks_for_nothing(kiosk, tmp_path):
    page = tmp_path / "health.html"
    kiosk.admit("health kiosk-1 --html", str(page))
    text = page.read_text()
    assert "<svg" in text and "Memory, bytes" in text and "default-src &#x27;none&#x27;" not in text
    assert "src=" not in text.replace("style-src", "") and "http://" not in text and "https://" not in text


# The log


def test_the_log_says_why_the_device_started_and_what_failed_but_no_words_of_the_sites(kiosk):
    kiosk.admit("invoke kiosk-1 broken", code=7)
    lines = kiosk.data("logs kiosk-1")
    assert lines[0]["text"].startswith("start ") and lines[0]["text"].endswith(": power")
    (failed,) = [each["text"] for each in lines if "ValueError" in each["text"]]
    assert "broken" in failed and "secret" not in json.dumps(lines)
    last = kiosk.data("health kiosk-1")["last_exception"]
    assert (last["what"], last["ended"]) == ("ValueError", False) and "broken" in last["place"]


def test_following_shows_what_is_added(kiosk):
    following = kiosk.start("logs kiosk-1 --follow --json")
    assert json.loads(following.stdout.readline())["line"]["text"].startswith("start ")
    kiosk.admit("invoke kiosk-1 broken", code=7)
    while "ValueError" not in (line := following.stdout.readline()):
        assert line
    following.send_signal(signal.SIGINT)
    assert following.wait(LIMIT_S) == 0


# The bundle


def parts_of(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_the_bundle_says_what_looks_wrong_and_holds_everything(kiosk, tmp_path):
    kiosk.admit("journal kiosk-1")
    kiosk.admit("invoke kiosk-1 broken", code=7)
    path = tmp_path / "bundle.zip"
    told = kiosk.data("diagnose kiosk-1 -o", str(path))
    parts = parts_of(path)
    assert sorted(parts) == sorted(told["parts"])
    wanted = {"README.txt", "health.json", "history.csv", "journal.txt", "log.txt", "machine.json"}
    assert set(parts) == wanted | {"registry.json", "release.json"}
    readme = parts["README.txt"].decode()
    assert "exception" in readme and "ValueError" in readme and "What looks wrong" in readme
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_secret_that_is_known_is_in_the_bundle_in_any_form(kiosk, tmp_path):
    path = tmp_path / "bundle.zip"
    kiosk.admit("diagnose kiosk-1 -o", str(path))
    everything = b"".join(name.encode() + data for name, data in parts_of(path).items()) + path.read_bytes()
    secrets = [each for each in secrets_under(kiosk.folder) if each]
    secrets += device_secrets(kiosk) + [b"a secret of the site"]
    assert len(secrets) > 8
    for secret in secrets:
        for form in (secret, secret.hex().encode(), secret.hex().upper().encode()):
            assert form not in everything
    assert b"alice" not in everything and b"/home" not in everything.replace(b"home/", b"")


def device_secrets(kiosk):
    """Every byte string of 16 bytes or more of the device's key store."""
    found = []
    for file in (kiosk.folder / "kiosk-1" / "keys").iterdir():
        stored = cbor2.loads(file.read_bytes()[4:])
        found += [value for number, value in stored.items() if isinstance(value, bytes) and number == 1]
    assert found
    return found


def test_a_device_that_does_not_answer_has_a_bundle_too(kiosk, tmp_path):
    path = tmp_path / "bundle.zip"
    kiosk.admit("health kiosk-1")
    ended = kiosk.admit("diagnose kiosk-1 -o", str(path), ADMIT_VIA="udp://127.0.0.1:1")
    parts = parts_of(path)
    assert "fail: It could not be asked" in ended.stdout and "did not answer" in ended.stderr
    assert "What could not be had" in parts["README.txt"].decode() and "log.txt" not in parts
    assert json.loads(parts["health.json"])["told"]["board"] == "virtual"


def test_secrets_are_nowhere_in_what_was_said(kiosk):
    assert kiosk.secrets_shown() == []
