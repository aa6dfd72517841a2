"""A user's wallet as a courier: what waits goes in with a visit, the sealed journal comes home, nobody can look in."""

from admit import couriers


def wallet_of_dora(kiosk):
    """Somebody with nothing but a wallet, who may open the door."""
    kiosk.admit("wallet new", kiosk.folder / "dora")
    kiosk.admit("user add dora --key", kiosk.folder / "dora/public.pem")
    kiosk.admit("grant dora open --on kiosk-1 --output dora.admit")
    kiosk.admit("wallet accept", kiosk.folder / "dora", "dora.admit")
    return {"ADMIT_WALLET": kiosk.folder / "dora", "ADMIT_SITE": kiosk.folder / "none"}


def state_of(kiosk):
    (row,) = [row for row in kiosk.data("status") if row["device"] == "kiosk-1"]
    return row["state"], row["held"]


def test_a_round_there_and_back(kiosk):
    dora = wallet_of_dora(kiosk)
    kiosk.admit("user add erwin")
    kiosk.admit("grant erwin open --on kiosk-1")
    kiosk.admit("invoke kiosk-1 open seconds=1 --as erwin")
    kiosk.admit("deny erwin open --on kiosk-1 --later")
    assert state_of(kiosk)[0] == "waiting"

    kiosk.admit("courier pack -o round.admit")
    (taken,) = kiosk.data("courier take round.admit", **dora)
    assert (taken["device"], taken["bundles"]) == ("kiosk-1", 1)
    told = kiosk.admit("invoke kiosk-1 open seconds=1", **dora)
    assert "Brought kiosk-1 1 bundle on the way." in told.stderr
    assert "(rule-denied)" in kiosk.admit("invoke kiosk-1 open --as erwin", code=4).stderr
    again = kiosk.admit("invoke kiosk-1 open seconds=1", **dora)
    assert "Brought" not in again.stderr  # it has arrived, and left the wallet

    (given, *_) = kiosk.data("courier give -o home.admit", **dora)
    assert (given["device"], given["from"]) == ("kiosk-1", 0)
    home = (kiosk.folder / "home.admit").read_bytes()
    assert b"/r/open" not in home and b"kiosk-1" not in home  # sealed
    (kept, *_) = kiosk.data("courier unpack home.admit")
    assert kept["device"] == "kiosk-1" and kept["records"] > 0
    rows = kiosk.data("journal kiosk-1 --stored")
    assert "erwin" in [row["who"] for row in rows]
    (kept, *_) = kiosk.data("courier unpack home.admit")
    assert kept["records"] == 0  # twice is as good as once
    assert kiosk.data("courier give -o home.admit", **dora) == []

    kiosk.admit("sync kiosk-1")
    assert state_of(kiosk)[0] == "current"


def test_an_old_round_brings_nothing_back(kiosk):
    dora = {"ADMIT_WALLET": kiosk.folder / "dora", "ADMIT_SITE": kiosk.folder / "none"}
    kiosk.admit("courier take round.admit", **dora)
    (first,) = [row["id"] for row in kiosk.data("denies")]
    kiosk.admit("deny --lift", first)
    told = kiosk.admit("invoke kiosk-1 open seconds=1", **dora)
    assert "Brought" not in told.stderr
    kiosk.admit("invoke kiosk-1 open seconds=1 --as erwin")  # the deny is not back


def test_files_that_are_none_are_refused(kiosk):
    dora = {"ADMIT_WALLET": kiosk.folder / "dora", "ADMIT_SITE": kiosk.folder / "none"}
    whole = (kiosk.folder / "round.admit").read_bytes()
    for number, data in enumerate((b"", b"\x80", whole[:-1], whole + b"\0", b"\xa1\x01\x80")):
        (kiosk.folder / f"bad-{number}").write_bytes(data)
        told = kiosk.admit(f"courier take bad-{number}", code=1, **dora)
        assert "(courier-file)" in told.stderr
    (kiosk.folder / "altered").write_bytes(couriers.encode_home([bytes(100)]))
    assert "page 1 of 1 was not kept" in kiosk.admit("courier unpack altered", code=1).stderr
