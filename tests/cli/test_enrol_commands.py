"""Being let in, as people type it: an invite link, and an admin who stands beside the kiosk and types a code."""

import re
import time

from admit import invites
from admit.codes import DeviceCode
from admit.invites import Link
from admit.suite import HostSuite
from admit_protocol import invite
from cli_kiosk import LIMIT_S
from sites import passphrase
from terminals import Terminal

RULES = [("/r/open", 3, {})]


def new_link(kiosk, secret, enrol=1, device="kiosk-1", **life):
    """An invite link, as an admin would send it."""
    site = kiosk.site
    public = invite.key(secret, HostSuite()).public
    now = int(time.time()) - 10
    data = site.authority(passphrase).issue_grant(
        "guest", [device], RULES, public, now, delegate=1, enrol=enrol, **life
    )
    return invites.encode(Link(secret, site.anchor.site_id, data))


def opens(kiosk, folder, code=0):
    return kiosk.admit("invoke kiosk-1 open seconds=1", code=code, ADMIT_WALLET=folder)


def test_a_link_in_a_file_or_on_stdin_lets_a_new_wallet_in_and_another_not(kiosk):
    text = new_link(kiosk, bytes([1]) * 16)
    (kiosk.folder / "link").write_text(text + "\n")
    zoe, yan = kiosk.folder / "zoe", kiosk.folder / "yan"
    told = kiosk.data("enrol", kiosk.folder / "link", "--wallet", zoe, "--name Zoe")
    assert (told["site"], told["user"], told["on"]) == (kiosk.site.anchor.name, "Zoe", ["kiosk-1"])
    assert told["site_id"] == kiosk.site.anchor.site_id.hex()
    opens(kiosk, zoe)
    kiosk.admit("enrol -", "--wallet", zoe, given=text)  # again is as good as once
    late = kiosk.admit("enrol -", "--wallet", yan, given=text, code=4)
    assert "(invite-used)" in late.stderr and "as many have come" in late.stderr
    assert "(wallet-no-grant)" in opens(kiosk, yan, code=3).stderr
    shown = "".join(kiosk.shown)
    assert text[len(invites.PREFIX) : len(invites.PREFIX) + 20] not in shown


def test_a_link_is_never_an_argument(kiosk):
    text = new_link(kiosk, bytes([2]) * 16)
    refused = kiosk.admit("enrol", text, "--wallet", kiosk.folder / "xia", code=2)
    assert "a link holds a secret" in refused.stderr and text not in refused.stderr
    assert not (kiosk.folder / "xia").exists()
    damaged = kiosk.admit("enrol -", "--wallet", kiosk.folder / "xia", given=text[:-9], code=1)
    assert "(invite-link)" in damaged.stderr and text[20:40] not in damaged.stderr
    empty = kiosk.admit("enrol", "--wallet", kiosk.folder / "xia", given="", code=1)
    assert "(answer-missing)" in empty.stderr


def test_on_a_terminal_the_link_is_typed_and_not_shown(kiosk):
    text = new_link(kiosk, bytes([3]) * 16)
    terminal = Terminal("enrol", "--wallet", str(kiosk.folder / "wim"), **kiosk.environment(ADMIT_VIA=None))
    terminal.answer("Invite link", text)
    code, shown = terminal.end()
    assert code == 0, shown
    assert "redeeming the invite" in shown and text[20:40] not in shown
    opens(kiosk, kiosk.folder / "wim")


def test_an_admin_pairs_whoever_shows_the_code(kiosk):
    folder = kiosk.folder / "uwe"
    device = next(each for each in kiosk.site.registry.devices() if each.id == "kiosk-1")
    label = DeviceCode(kiosk.site.anchor.site_id, bytes.fromhex(kiosk.fingerprint("kiosk-1")), device.id).text()
    nobody = kiosk.admit("pair kiosk-1 open", given="", code=3)
    assert "(enrol-nobody)" in nobody.stderr
    waiting = kiosk.start("enrol --pair", label, "--name uwe --json --wallet", folder, ADMIT_VIA=None)  # by radio
    said = ""
    while "Show this code" not in said:
        said = waiting.stderr.readline()
        assert said, waiting.communicate()
    code = re.search(r"\d{6}", said)[0]
    wrong = f"{(int(code) + 1) % 10**6:06}"
    refused = kiosk.admit("pair kiosk-1 open", given=wrong + "\n", code=4)
    assert "(code-wrong)" in refused.stderr
    other = kiosk.admit("pair kiosk-1 open --who 0000", given=code + "\n", code=3)
    assert "0000 does not ask" in other.stderr
    paired = kiosk.data("pair kiosk-1 open --until 2099-01-01", given=code + "\n")
    assert (paired["user"], paired["on"], paired["allows"]) == ("uwe", ["kiosk-1"], ["GET,POST /r/open"])
    stdout, stderr = waiting.communicate(timeout=LIMIT_S)
    assert waiting.returncode == 0, stderr
    assert paired["grant"] in stdout
    opens(kiosk, folder)


def test_pairing_asks_for_what_is_missing(kiosk):
    assert "--allow" in kiosk.admit("pair kiosk-1", given="1\n", code=2).stderr
    assert "--name" in kiosk.admit("enrol --pair kiosk-1 --wallet", kiosk.folder / "tim", code=2).stderr
    assert "not both" in kiosk.admit("enrol link --pair kiosk-1 --name tim", code=2).stderr
    assert "--wallet" in kiosk.admit("enrol -", given=new_link(kiosk, bytes([4]) * 16), code=2).stderr
    missing = kiosk.admit("enrol --pair kiosk-1 --name tim --wallet", kiosk.folder / "tim", code=3)
    assert "(wallet-missing)" in missing.stderr
    kiosk.admit("wallet new", kiosk.folder / "tim")
    lost = kiosk.admit("enrol --pair kiosk-1 --name tim --wallet", kiosk.folder / "tim", code=3)
    assert "(wallet-no-site)" in lost.stderr and "public label" in lost.stderr
