"""Files encrypted with a passphrase: what is not whole, or not ours, is refused. Who else opens them: strangers/."""

import pytest

import age_peer
from admit import age_file
from admit_protocol.errors import AdmitError
from sites import PASSPHRASE

TEXT = bytes(range(256)) * 300  # more than one piece


def reason(data, passphrase=PASSPHRASE):
    with pytest.raises(AdmitError) as caught:
        age_file.unseal(data, passphrase)
    assert not passphrase or passphrase not in str(caught.value)
    return caught.value.reason


@pytest.fixture(scope="module")
def sealed():
    return age_peer.seal(TEXT, PASSPHRASE)


def test_what_another_program_sealed_opens_here(sealed):
    assert age_file.unseal(sealed, PASSPHRASE) == TEXT
    assert age_file.unseal(age_peer.seal(b"", "a"), "a") == b""


def test_a_wrong_passphrase_is_told_from_a_damaged_file(sealed):
    assert reason(sealed, "correct horse battery ") == "age-passphrase"
    assert reason(sealed, "") == "age-passphrase"


def test_a_cut_file_is_refused_wherever_it_was_cut(sealed):
    start = sealed.index(b"\n---")
    for length in [*range(start - 60, start + 90, 7), *range(start + 90, len(sealed), 9973), len(sealed) - 1]:
        assert reason(sealed[:length]) in ("age-file", "age-damaged"), length
    assert reason(sealed + b"\0") == "age-damaged"
    assert reason(b"") == reason(b"x" * 1000) == "age-file"


def test_a_changed_bit_is_found_wherever_it_is(sealed):
    for place in [*range(0, 240, 5), *range(240, len(sealed), 9973), len(sealed) - 1]:
        changed = bytearray(sealed)
        changed[place] ^= 1
        assert reason(bytes(changed)).startswith("age-"), place


def test_a_file_for_a_key_is_none_of_ours():
    import pyrage

    other = pyrage.encrypt(TEXT, [pyrage.x25519.Identity.generate().to_public()])
    assert reason(other) == "age-file"


def test_nobody_is_made_to_work_for_hours(sealed):
    head, _, rest = sealed.partition(b" 1\n")
    assert reason(head + b" 30\n" + rest) == "age-work"
