"""A device goes from one site to another, as both admins type it: by radio, over its cable, and on to a third one.

Commands run in this process, which spares each its start.
"""

import asyncio
import json
import os
import shutil

import pytest
from click.testing import CliRunner

from admit import ownership
from admit_cli.command import CommandLine
from admit_protocol import receipt
from cli_kiosk import another_site


class Desks:
    """Whoever types, at the desk of one site or another."""

    def __init__(self, kiosk, run, monkeypatch):
        self.kiosk, self._run, self._set = kiosk, run, monkeypatch.setenv
        monkeypatch.chdir(kiosk.folder)
        for name, value in kiosk.environment().items():
            monkeypatch.setenv(name, value)

    def admit(self, *words, site=None, code=0):
        """Run a command there; what it printed."""
        self._set("ADMIT_SITE", str((site or self.kiosk.site).folder))
        done = self._run(*[each for part in words for each in str(part).split()], code=code)
        self.kiosk.shown += [done.stdout, done.stderr]
        return done

    def data(self, *words, site=None):
        """What it prints with --json."""
        found = json.loads(self.admit(*words, "--json", site=site).stdout)
        assert found.pop("schema") == 1
        (only,) = found.values()
        return only

    def breaks(self, words, site):
        """Does it end before it is done, because no answer comes any more?"""
        self._set("ADMIT_SITE", str(site.folder))
        done = CliRunner().invoke(CommandLine(), words.split())
        self.kiosk.shown += [done.stdout, done.stderr]
        assert done.exit_code in (0, 6), done.output
        return done.exit_code == 6

    def listed(self, site=None):
        return [row["id"] for row in self.data("devices", site=site)]

    def remark(self, name):
        (row,) = self.data("status", name)
        return row["remark"]


@pytest.fixture
def desks(kiosk, run, monkeypatch):
    return Desks(kiosk, run, monkeypatch)


@pytest.fixture(scope="module")
def other(kiosk):
    made = another_site(kiosk.folder, "other")
    (kiosk.folder / "other.pub").write_bytes(made.anchor.encode())
    yield made
    made.registry.close()


@pytest.fixture
def moving(kiosk, request):
    """A device of the first site, called as the test is."""
    name = request.node.name.removeprefix("test_")[:24].replace("_", "-")
    return name, kiosk.join(kiosk.factory_board(name, kiosk.air.name), name)


def test_it_goes_by_radio_and_both_sites_know(desks, kiosk, other, moving):
    name, board = moving
    said = desks.admit("anchor -o shown.pub", site=other)
    assert other.anchor.site_id.hex() in said.stderr
    assert (kiosk.folder / "shown.pub").read_bytes() == (kiosk.folder / "other.pub").read_bytes()
    desks.admit(f"sync {name} --via ble:{name}")
    given = desks.data(f"transfer {name} --to shown.pub -o radio.cbor --yes")
    assert (given["device"], given["to"], given["number"], given["until"]) == (name, "Another", 1, None)
    assert desks.remark(name) == "promised to Another"
    desks.admit("adopt radio.cbor ble --yes", code=8)  # not for the site that gave it
    took = desks.data("adopt radio.cbor ble --yes", site=other)
    assert (took["device"], took["from"], took["receipt"]) == (name, "Test site", f"{name}.receipt")
    first = (kiosk.folder / took["receipt"]).read_bytes()
    desks.admit("adopt radio.cbor ble --yes", site=other)  # whatever broke off, the same command finishes it
    assert (kiosk.folder / took["receipt"]).read_bytes() == first
    assert desks.data(f"health {name} --via ble:{name}", site=other)["version"]
    assert desks.listed(other) == [name] and name in desks.listed()
    left = desks.data("receipt", took["receipt"])
    assert (left["device"], left["to"], left["to_site"]) == (name, "Another", other.anchor.site_id.hex())
    assert 0 <= left["missing"] <= 2 < left["records"]
    assert desks.data("receipt", took["receipt"]) == left
    assert name not in desks.listed()
    assert "(voucher-unknown)" in desks.admit("receipt", took["receipt"], code=3, site=other).stderr


def test_it_goes_over_its_cable_under_another_name_and_on_to_a_third_site(desks, kiosk, other, moving):
    name, board = moving
    third = another_site(kiosk.folder, "third")
    desks.admit("anchor -o third.pub", site=third)
    desks.admit(f"transfer {name} --to other.pub -o first.cbor --yes")
    desks.admit(f"transfer {name} --from first.cbor --to third.pub -o second.cbor --yes", site=other)
    said = desks.admit("adopt second.cbor", board.cable, "--yes", code=8, site=other).stderr
    assert "(voucher-other-owner)" in said
    took = desks.data("adopt second.cbor", board.cable, "--name desk-1 --yes -o third.receipt", site=third)
    assert (took["device"], took["from"]) == ("desk-1", "Test site")
    assert "(device-commissioned)" in desks.admit("adopt first.cbor", board.cable, "--yes", code=5, site=other).stderr
    left = desks.data("receipt third.receipt")
    assert (left["to"], left["to_site"]) == (None, third.anchor.site_id.hex())
    third.registry.close()


def test_it_stays_when_the_voucher_is_taken_back(desks, kiosk, other, moving):
    name, board = moving
    desks.admit(f"transfer {name} --to other.pub -o back.cbor --yes --until 2099-01-01")
    assert desks.remark(name).startswith("promised to Another until 20")
    said = desks.admit(f"transfer {name} --cancel --via ble:{name}").stderr
    assert "delivered" in said and desks.remark(name) is None
    said = desks.admit("adopt back.cbor ble --yes", code=7, site=other).stderr
    assert "(voucher-revoked)" in said
    assert "(voucher-none)" in desks.admit(f"transfer {name} --cancel --via ble:{name}", code=3).stderr
    desks.admit(f"health {name} --via ble:{name}")


def test_who_resets_it_by_hand_is_seen_at_the_next_contact(desks, kiosk, other, moving):
    name, board = moving
    desks.admit(f"transfer {name} --to other.pub -o stray.cbor --yes")
    kiosk.beside.do(board.kill())
    for folder in ("keys", "data"):
        shutil.rmtree(board.storage / folder)
    kiosk.beside.do(board.start())
    kiosk.beside.do(board.expect("status factory"))
    assert "(adopt-reset)" in desks.admit("adopt stray.cbor", board.cable, "--yes", code=5, site=other).stderr
    desks.admit(f"sync {name} --via {kiosk.via(board)}", code=8)
    assert desks.remark(name).startswith("said that it belongs to nobody, 20")
    kiosk.join(board, f"{name}-2", other)
    desks.admit(f"sync {name} --via {kiosk.via(board)}", code=8)
    assert desks.remark(name).startswith("said that it belongs to Another, 20")


CUTS = [("heard", 4), ("heard", 9), ("said", 8)]
if os.environ.get("ADMIT_EXHAUST"):
    CUTS = [(way, number) for way in ("heard", "said") for number in range(1, 21)]


def test_a_power_cut_on_the_way_is_finished_by_the_same_command(desks, kiosk, other, moving, monkeypatch):
    """At any message, and back and forth between the two sites, so that there is something to fetch each time."""
    name, board = moving
    sites, broken = [kiosk.site, other], []
    for site in sites:
        desks.admit(f"anchor -o {site.name[0]}.pub", site=site)
    monkeypatch.setattr(kiosk, "board", board)
    for way, number in CUTS:
        giver, taker = sites
        desks.admit(f"transfer {name} --to {taker.name[0]}.pub -o torn.cbor --yes", site=giver)
        kiosk.cut_power(**{way: number})
        broken.append(desks.breaks(f"adopt torn.cbor ble --yes -o {number}.receipt", site=taker))
        kiosk.beside.do(back(board, broken[-1]))
        desks.admit(f"adopt torn.cbor ble --yes -o {number}.receipt", site=taker)
        told = receipt.parse((kiosk.folder / f"{number}.receipt").read_bytes())
        assert told.to_site == taker.anchor.site_id
        desks.admit(f"receipt {number}.receipt", site=giver)
        sites.reverse()
    assert sum(broken) >= 3  # some may be due only after the end


async def back(board, broken):
    """Wait until the board that lost its power has it again; take a cut back that was never reached."""
    while broken and not board.running:
        await asyncio.sleep(0.01)
    if not broken:
        await board.restart()


def test_what_is_refused_at_the_desk(desks, kiosk, other):
    folder = kiosk.folder
    (folder / "own.pub").write_bytes(kiosk.site.anchor.encode())
    (folder / "rubbish").write_bytes(b"\x83\x01\x02\x03")
    (folder / "text").write_text("no paper of admit's\n")
    for words, code, why in (
        ("transfer kiosk-1 --to own.pub --yes", 5, "transfer-same-site"),
        ("transfer nobody --to other.pub --yes", 3, "registry-no-device"),
        ("transfer kiosk-1 --to rubbish --yes", 1, "anchor-file"),
        ("adopt rubbish --yes", 1, "voucher-file"),
        ("adopt text --yes", 1, "voucher-file"),
        ("receipt rubbish", 1, "receipt-structure"),
        ("receipt text", 1, "receipt-structure"),
        ("wipe-certificate verify text", 1, "wipe-file"),
    ):
        assert f"({why})" in desks.admit(words, code=code).stderr, words
    desks.admit("transfer kiosk-1 --yes", code=2)
    desks.admit("transfer kiosk-1 --to other.pub --cancel", code=2)
    desks.admit("transfer kiosk-1 --to other.pub -o asked.cbor", code=2)  # nobody is there to say yes
    assert not (folder / "asked.cbor").exists()
    desks.admit("transfer kiosk-1 --to other.pub -o spoilt.cbor --yes")
    whole = (folder / "spoilt.cbor").read_bytes()
    for at in range(3, len(whole), 37):
        spoilt = bytearray(whole)
        spoilt[at] ^= 4
        with pytest.raises(Exception) as refused:
            ownership.open_parcel(bytes(spoilt))
        assert hasattr(refused.value, "reason"), at
    desks.admit("transfer kiosk-1 --cancel")


def test_no_secret_was_shown(kiosk):
    assert kiosk.secrets_shown() == []
