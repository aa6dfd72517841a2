"""The authority by shares: it comes back under a new passphrase, all of it or nothing, and for its own site only."""

from contextlib import closing

import pytest

import age_peer
import restore_cuts
from admit import age_file, archive, authority, backup, keyfiles, recovery, restoring, shares
from admit.suite import HostSuite
from admit_protocol import cose_encrypt
from admit_protocol.errors import AdmitError
from cli_kiosk import another_site
from sites import NOW, PASSPHRASE, new_site, passphrase

NEW = "another passphrase"
LOST = ".authority-replacing"


@pytest.fixture(autouse=True)
def no_work(monkeypatch):
    """What protects passphrases costs nothing here; tests/strangers and tests/cli pay for it."""
    monkeypatch.setattr(age_file, "seal", age_peer.seal)
    monkeypatch.setattr(keyfiles, "_SCRYPT_N", 2)


@pytest.fixture
def made(site):
    """(recovery file, shares) of the site: any two of three."""
    return recovery.create(site, PASSPHRASE, 3, 2)


def reason(call, *arguments, **more):
    with pytest.raises(AdmitError) as caught:
        call(*arguments, **more)
    told = str(caught.value)
    assert PASSPHRASE not in told and NEW not in told
    return caught.value.reason


def opened(made, which=(0, 1)):
    data, words = made
    secret = shares.combine([words[each] for each in which])
    return recovery.open_file(data, secret), secret


def opens(site, phrase):
    """Whether the passphrase opens both keys of the authority."""
    try:
        site.authority(lambda: phrase).key_files()
        return True
    except AdmitError:
        return False


def test_any_two_shares_give_the_authority_a_new_passphrase(site, made):
    found, secret = opened(made, (2, 0))
    assert found.anchor.encode() == site.anchor.encode()
    recovery.put_back(site, found, secret, NEW)
    assert opens(site, NEW) and not opens(site, PASSPHRASE)
    signer = site.authority(lambda: NEW)
    assert signer.issue_notice(1, [], NOW)
    for name in [*authority.KEY_FILES, recovery.FILE]:
        assert (site.folder / name).stat().st_mode & 0o777 == 0o600
    assert not list(site.folder.glob(".*"))


def test_the_shares_stay_good_with_the_file_that_was_written_anew(site, made):
    found, secret = opened(made)
    recovery.put_back(site, found, secret, NEW)
    renewed = (site.folder / recovery.FILE).read_bytes(), made[1]
    again, secret = opened(renewed, (1, 2))
    assert again.passphrase == NEW
    recovery.put_back(site, again, secret, PASSPHRASE)
    assert opens(site, PASSPHRASE)


def test_what_was_sealed_to_the_authority_before_opens_after(site, made):
    sealed_before = cose_encrypt.seal(HostSuite(), site.anchor.ecdh_public, b"a journal")
    found, secret = opened(made)
    recovery.put_back(site, found, secret, NEW)
    assert site.authority(lambda: NEW).unseal(sealed_before) == b"a journal"


def test_with_a_backup_the_site_comes_back_though_nobody_knows_its_passphrase(site, made, tmp_path):
    found, secret = opened(made)
    kept = backup.parse(backup.make(site, NOW))
    back = restoring.restore(kept, tmp_path / "new", None, lambda each: recovery.put_back(each, found, secret, NEW))
    with closing(back.registry):
        assert opens(back, NEW) and not opens(back, PASSPHRASE)
        assert [user.name for user in back.registry.users()] == ["admin"]


def test_the_file_tells_nothing_without_the_shares(site, made):
    data, words = made
    assert PASSPHRASE.encode() not in data
    assert reason(recovery.open_file, data, bytes(16)) == "recovery-other-shares"
    other, others_words = recovery.create(site, PASSPHRASE, 3, 2)
    assert reason(recovery.open_file, data, shares.combine(others_words[:2])) == "recovery-other-shares"
    assert PASSPHRASE not in repr(opened(made)[0])


def test_who_does_not_know_the_passphrase_makes_no_shares(site):
    assert reason(recovery.create, site, "wrong", 3, 2) == "key-passphrase"
    assert reason(recovery.create, site, PASSPHRASE, 3, 4) == "recovery-numbers"


def test_it_is_put_back_into_its_own_site_only(site, made, tmp_path):
    other = another_site(tmp_path)
    with closing(other.registry):
        found, secret = opened(made)
        before = other.authority(passphrase).key_files()
        assert reason(recovery.put_back, other, found, secret, NEW) == "recovery-other-site"
        assert other.authority(passphrase).key_files() == before


def test_a_passphrase_that_is_too_short_changes_nothing(site, made):
    found, secret = opened(made)
    assert reason(recovery.put_back, site, found, secret, "short") == "authority-passphrase"
    assert opens(site, PASSPHRASE)


def test_a_file_that_is_damaged_or_something_else_is_refused(site, made):
    data, words = made
    secret = shares.combine(words[:2])
    assert reason(recovery.open_file, data[:-1], secret) == "age-damaged"
    assert reason(recovery.open_file, b"something", secret) == "age-file"
    inside = archive.unpack(recovery.FORM, age_file.unseal(data, secret.hex()))[1]
    assert reason(recovery.open_file, sealed(inside, secret, backup.FORM), secret) == "archive-file"
    assert reason(recovery.open_file, sealed(inside[:-1], secret), secret) == "recovery-file"
    by_name = {entry.name: entry.data for entry in inside}
    sign, ecdh = (by_name[name] for name in authority.KEY_FILES)
    by_name |= dict(zip(authority.KEY_FILES, (ecdh, sign), strict=True))
    swapped = [archive.Entry(name, data) for name, data in by_name.items()]
    assert reason(recovery.open_file, sealed(swapped, secret), secret) == "recovery-file"
    for phrase in (b"another one", b"\xff"):
        locked = [*inside[:-1], archive.Entry("passphrase", phrase)]
        assert reason(recovery.open_file, sealed(locked, secret), secret) == "recovery-file"


def sealed(entries, secret, form=recovery.FORM):
    return age_peer.seal(archive.pack(form, {}, entries), secret.hex())


def test_wherever_the_power_fails_one_passphrase_opens_both_keys(site, made):
    found, secret = opened(made)
    told = restore_cuts.of_recovery(site, found, secret, PASSPHRASE, NEW)
    assert told["cuts"] > 8 and not told["thirds"]


def test_a_backup_made_after_a_cut_is_of_one_state(tmp_path):
    site = new_site(tmp_path / "site")
    with closing(site.registry):
        (site.folder / LOST).mkdir()
        files = site.authority(passphrase).key_files()
        assert not (site.folder / LOST).exists() and sorted(files) == sorted(authority.KEY_FILES)
