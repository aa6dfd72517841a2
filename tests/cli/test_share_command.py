"""Passing on a part of one's own grant, as it is typed, and what the kiosk makes of it."""

import time

from admit import admin
from sites import passphrase

RULES = [("/r/open", 3, {3: {"seconds": [1, 5]}}), ("/r/light", 3, {})]


def holder(kiosk, name, delegate=2):
    """Somebody on this machine whose grant may be passed on."""
    site, now = kiosk.site, int(time.time()) - 10
    admin.add_user(site, name, None, now)
    owner = site.wallet(name)
    login, sign = owner.publics
    more = {"expires": now + 30 * 86400, "delegate": delegate}
    owner.add_grant(site.authority(passphrase).issue_grant(name, ["kiosk-1"], RULES, login, now, sign, **more))


def test_a_part_is_passed_on_and_passed_on_again(kiosk):
    holder(kiosk, "hana")
    for name in ("ivo", "jan"):
        kiosk.admit("wallet new", kiosk.folder / name)
    ivos, jans = kiosk.folder / "ivo/public.pem", kiosk.folder / "jan/public.pem"
    told = kiosk.data("share open --to", ivos, "--name ivo --on kiosk-1 --delegate 1 --as hana -o ivo.admit")
    assert (told["user"], told["on"], told["allows"]) == ("ivo", ["kiosk-1"], ["GET,POST /r/open, seconds 1 to 5"])
    accepted = kiosk.data("wallet accept", kiosk.folder / "ivo", "ivo.admit")
    assert accepted["grant"] == told["grant"]
    ivo = {"ADMIT_WALLET": kiosk.folder / "ivo"}
    assert kiosk.data("invoke kiosk-1 open seconds=1", **ivo)["outcome"] == "done"
    assert "(rule-argument)" in kiosk.admit("invoke kiosk-1 open seconds=9", code=4, **ivo).stderr
    kiosk.admit("share --allow", "r/open:POST{seconds<=2}", "--to", jans, "--name jan -o jan.admit", **ivo)
    kiosk.admit("wallet accept", kiosk.folder / "jan", "jan.admit")
    jan = {"ADMIT_WALLET": kiosk.folder / "jan"}
    assert kiosk.data("invoke kiosk-1 open seconds=2", **jan)["outcome"] == "done"
    kiosk.restart()
    assert kiosk.data("invoke kiosk-1 open seconds=2", **jan)["outcome"] == "done"
    assert "(rule-argument)" in kiosk.admit("invoke kiosk-1 open seconds=3", code=4, **jan).stderr
    further = kiosk.admit("share --to", ivos, "-o no.admit", code=3, **jan)
    assert "(share-none)" in further.stderr


def test_nothing_wider_and_nothing_of_what_may_not_be_passed_on(kiosk):
    holder(kiosk, "kim")
    holder(kiosk, "lea", delegate=0)
    kiosk.admit("wallet new", kiosk.folder / "mia")
    keys = kiosk.folder / "mia/public.pem"
    wider = kiosk.admit("share calibrate --to", keys, "--as kim -o mia.admit", code=4)
    assert "(share-wider)" in wider.stderr
    longer = kiosk.admit("share open --until 2099-01-01 --to", keys, "--as kim -o mia.admit", code=4)
    assert "(share-wider)" in longer.stderr
    none = kiosk.admit("share open --to", keys, "--as lea -o mia.admit", code=3)
    assert "(share-none)" in none.stderr
    assert not (kiosk.folder / "mia.admit").exists()
