"""The authority gets other keys, as an admin types it. A real kiosk follows in test_key_commands.py."""

import pytest

from admit import couriers, keyfiles
from admit.site import Site
from rig import Site as Stranger
from sites import NOW


@pytest.fixture
def cheap(monkeypatch):
    monkeypatch.setattr(keyfiles, "_SCRYPT_N", 2)


def test_a_device_or_the_authority_is_named(run, site):
    for arguments in (
        (),
        ("kiosk-1", "--authority"),
        ("kiosk-1", "--overlap", "3d"),
        ("--authority", "--overlap", "3"),
    ):
        run("rotate", *arguments, code=2)


def test_it_is_asked_and_told_what_follows(run, site, cheap):
    stranger = Stranger()
    data = site.authority(lambda: "correct horse battery").issue_credential(
        "kiosk-1", stranger.key.public, stranger.ecdh.public, NOW
    )
    site.registry.add_device(data, NOW)
    (site.folder / "recovery.age").write_bytes(b"")
    before = site.anchor.encode()
    assert '"devices": 1' in run("rotate", "--authority", "--dry-run", "--json").stdout
    assert "give --yes" in run("rotate", "--authority", code=2).stderr
    assert Site(site.folder).anchor.encode() == before
    told = run("rotate", "--authority", "--yes")
    for words in ("admit sync", "backups", "shares"):
        assert words in told.stderr
    assert Site(site.folder).anchor.site_id == site.anchor.site_id
    assert Site(site.folder).anchor.encode() != before
    assert "still follows the authority's old key" in run("status").stdout
    run("courier", "pack", "-o", str(site.folder.parent / "round"))
    packed = couriers.decode((site.folder.parent / "round").read_bytes())
    assert packed == {"kiosk-1": list(Site(site.folder).anchor.successions)}
    assert run("rotate", "--authority", "--finish", "--yes", "--json").stdout.count('"keys": 1') == 1
    assert '"keys": 0' in run("rotate", "--authority", "--finish", "--json").stdout
