"""Recovery keys, and takeovers by them, as everybody types it: holders, thieves, the old site's admin, the new site's.

Commands run in this process, which spares each its start. Days of waiting are taken out of the board's storage.
"""

import asyncio
import json
import re
from binascii import crc32

import pytest

from admit import keyfiles, takeovers
from admit_protocol import cbor
from admit_protocol.errors import AdmitError
from cli_kiosk import another_site

LEFT = 3  # where storage keeps the seconds that are left


class Desks:
    """Whoever types, at the desk of one site or another."""

    def __init__(self, kiosk, run, monkeypatch):
        self.kiosk, self._run, self._set = kiosk, run, monkeypatch.setenv
        monkeypatch.chdir(kiosk.folder)
        for name, value in kiosk.environment().items():
            monkeypatch.setenv(name, value)

    def admit(self, words, site=None, code=0):
        """Run a command there; what it printed."""
        self._set("ADMIT_SITE", str((site or self.kiosk.site).folder))
        done = self._run(*words.split(), code=code)
        self.kiosk.shown += [done.stdout, done.stderr]
        return done

    def data(self, words, site=None):
        """What it prints with --json."""
        found = json.loads(self.admit(f"{words} --json", site).stdout)
        assert found.pop("schema") == 1
        (only,) = found.values()
        return only

    def refused(self, words, code, site=None):
        """The reason why not."""
        (error,) = [line for line in self.admit(words, site, code).stderr.splitlines() if line.startswith("error: ")]
        return error.rpartition("(")[2].removesuffix(")")


@pytest.fixture
def desks(kiosk, run, monkeypatch):
    monkeypatch.setattr(keyfiles, "_SCRYPT_N", 2)
    return Desks(kiosk, run, monkeypatch)


@pytest.fixture(scope="module")
def other(kiosk):
    made = another_site(kiosk.folder, "other")
    yield made
    made.registry.close()


@pytest.fixture
def people(desks, kiosk):
    """Recovery keys of three people, of whom two must sign, made once."""
    if not (kiosk.folder / "ada.pub").exists():
        for name in ("ada", "bo", "cy"):
            made = desks.data(f"recovery key {name}.pem")
            assert made["public"] == f"{name}.pub"
        assert desks.refused("recovery key ada.pem", 5) == "file-exists"
        told = desks.data("recovery keys --threshold 2 --delay 1d ada.pub bo.pub cy.pub -o keys.cbor --yes")
        assert (told["number"], told["threshold"], told["delay"]) == (1, 2, "1 day")
    return "ada", "bo", "cy"


@pytest.fixture
def board(kiosk, request):
    """(its name, the board) of a device of the first site, called as the test is, that heard of the recovery keys."""
    name = request.node.name.removeprefix("test_")[:20].replace("_", "-").strip("-")
    return name, kiosk.join(kiosk.factory_board(name, kiosk.air.name), name)


def signed(desks, kiosk, other, name, file="takeover.cbor"):
    """A takeover that two holders have signed."""
    desks.admit(f"takeover new keys.cbor --on {name} -o {file}", site=other)
    for each in ("ada", "bo"):
        told = desks.data(f"takeover sign {file} --key {each}.pem --yes")
    assert told["signed"] == "2 of 2 that are needed" and told["devices"] == [name]
    return file


def let_pass(kiosk, board):
    """All that is left to wait, but a second."""
    kiosk.beside.do(board.kill())
    file = board.storage / "data/takeover"
    kept = cbor.decode(file.read_bytes()[4:])
    kept[LEFT] = 1
    data = cbor.encode(kept)
    file.write_bytes(crc32(data).to_bytes(4, "big") + data)
    kiosk.listen(board)
    kiosk.beside.do(board.start())
    kiosk.beside.do(ended(board))
    kiosk.beside.do(board.start())  # as its runner does


async def ended(board):
    """It restarts by itself."""
    while board.running:
        await asyncio.sleep(0.05)


def test_a_device_comes_to_another_site_when_nobody_vetoes(desks, kiosk, other, people, board):
    name, machine = board
    via = f"--via ble:{name}"
    desks.admit(f"sync {name} {via}")
    assert desks.data("recovery keys")["devices"] >= 1
    site_id = kiosk.site.anchor.site_id.hex()
    new = f"takeover new --of {site_id} --from {name} {via} -o asked.cbor"  # whoever has no file asks a device
    assert desks.data(new, site=other)["of"] == f"Test site ({site_id})"
    assert desks.refused(new.replace(site_id, other.anchor.site_id.hex()), 8, other) == "anchor-other-site"
    file = signed(desks, kiosk, other, name)
    (begun,) = desks.data(f"takeover start {file} {name} {via} --yes", site=other)
    assert begun["left"] == "1 day"
    assert desks.data(f"takeover start {file} {name} {via} --yes", site=other)[0]["left_s"] <= begun["left_s"]
    said = desks.admit(f"sync {name} {via}").stderr  # its admin hears of it at the next visit
    assert re.search(rf"{name} is to change hands in (1 day|23 hours): Another \({other.anchor.site_id.hex()}\)", said)
    (row,) = desks.data(f"status {name}")
    assert re.match("to change hands in (1 day|23 hours), 20", row["remark"])
    (seen,) = desks.data(f"takeover status {name} {via}")
    assert (seen["state"], seen["to_site"]) == ("leaves", other.anchor.site_id.hex())
    assert desks.refused(f"adopt --taken-over {name} ble", 5, other) == "takeover-waits"
    let_pass(kiosk, machine)
    taken = desks.data(f"adopt --taken-over {name} ble --name desk-1", site=other)
    assert (taken["device"], taken["from_site"]) == ("desk-1", site_id)
    assert desks.data(f"adopt --taken-over {name} ble:desk-1 --name desk-1", site=other) == taken
    assert desks.data("takeover status", site=other)[0]["here"] == "desk-1"
    told = desks.data("journal desk-1 --via ble:desk-1", site=other)
    whats = [each["what"] for each in told if each["kind"] == "takeover"]
    assert whats[0] == "takeover policy" and whats[1] == "takeover begun" and whats[-1] == "takeover done"
    desks.admit("sync desk-1 --via ble:desk-1", site=other)
    assert desks.data("health desk-1 --via ble:desk-1", site=other)["version"]
    assert desks.admit(f"sync {name} --via ble:desk-1", code=8)
    (row,) = desks.data(f"status {name}")
    assert "said that it belongs to" in row["remark"]


def test_an_admin_vetoes_what_a_thief_began(desks, kiosk, other, people, board):
    name, machine = board
    via = f"--via ble:{name}"
    assert desks.refused(f"takeover start {signed(desks, kiosk, other, name)} {name} {via} --yes", 3, other) == (
        "takeover-none"
    )
    desks.admit(f"sync {name} {via}")
    desks.admit(f"takeover start takeover.cbor {name} {via} --yes", site=other)
    assert desks.refused(f"takeover veto {name} {via} --as carol", 3) == "wallet-no-grant"
    (row,) = desks.data(f"takeover veto {name} {via}")
    assert row["state"] == "vetoed"
    assert desks.refused(f"takeover veto {name} {via}", 3) == "takeover-none"
    assert desks.refused(f"takeover status {name} {via}", 5, other) == "takeover-gone"
    assert desks.refused(f"takeover start takeover.cbor {name} {via} --yes", 7, other) == "takeover-vetoed"
    assert "change hands" not in desks.admit(f"health {name} {via}").stderr
    kiosk.beside.do(machine.restart())  # who has made it verify signatures waits a minute else
    assert desks.refused(f"takeover veto {name} -o veto.cbor", 3) == "takeover-not-seen"
    desks.admit(f"takeover start {signed(desks, kiosk, other, name)} {name} {via} --yes", site=other)
    desks.admit(f"takeover status {name} {via}")
    desks.admit(f"takeover veto {name} -o veto.cbor")  # the authority's, which anybody may bring
    desks.admit("user add dora")
    desks.admit(f"grant dora open --on {name} --until 2099-01-01")
    desks.admit(f"takeover veto {name} --paper veto.cbor --as dora {via}")
    assert desks.refused(f"takeover veto {name} {via}", 3) == "takeover-none"


def test_what_is_refused_at_the_desk(desks, kiosk, other, people):
    folder = kiosk.folder
    (folder / "rubbish").write_bytes(b"\x84\x01\x02\x03\x04")
    desks.admit("takeover new keys.cbor -o few.cbor", site=other)
    desks.admit("recovery key eve.pem")
    for words, code, why, site in (
        ("takeover sign few.cbor --key eve.pem --yes", 8, "takeover-unknown-key", None),
        ("takeover start few.cbor kiosk-1 --yes", 8, "takeover-too-few", other),
        ("takeover sign rubbish --key ada.pem --yes", 1, "takeover-file", None),
        ("takeover new rubbish", 1, "recovery-keys-file", other),
        ("takeover new keys.cbor -o own.cbor", 1, "takeover-structure", None),  # to itself
        ("adopt --taken-over nobody", 3, "takeover-unknown", other),
        ("recovery keys", 3, "recovery-keys-none", other),
        ("recovery keys --threshold 2 --delay 40d ada.pub bo.pub --yes", 1, "recovery-structure", None),
    ):
        assert desks.refused(words, code, site) == why, words
    desks.admit("takeover sign few.cbor --key ada.pem", code=2)  # nobody is there to say yes
    desks.admit("recovery keys --threshold 3 ada.pub bo.pub", code=2)
    desks.admit("adopt", code=2)
    for name in ("ada", "bo"):
        desks.admit(f"takeover sign few.cbor --key {name}.pem --yes")
    assert desks.refused("takeover start few.cbor kiosk-1 --yes", 5) == "takeover-other-target"
    whole = (folder / "few.cbor").read_bytes()
    for at in range(3, len(whole), 61):
        spoilt = bytearray(whole)
        spoilt[at] ^= 4
        with pytest.raises(AdmitError):
            takeovers.open_takeover(bytes(spoilt))


def test_no_secret_was_shown(kiosk):
    assert kiosk.secrets_shown() == []
