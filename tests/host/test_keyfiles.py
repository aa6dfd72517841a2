"""Key files: what foreign tools read, and how files are written."""

import os
import stat

import ecdsa
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from admit import keyfiles
from admit.suite import HostSuite
from admit_protocol.errors import Conflict, Malformed

suite = HostSuite()
DEVICE, USER = suite.generate(), suite.generate()


def test_public_keys_go_there_and_back():
    text = keyfiles.public_pem(USER.public, DEVICE.public)
    assert text.count("-----BEGIN PUBLIC KEY-----") == 2
    assert keyfiles.parse_public_pem(text) == [USER.public, DEVICE.public]
    assert keyfiles.parse_public_pem("alice's keys:\n" + text) == [USER.public, DEVICE.public]


def test_public_keys_are_files_that_foreign_tools_read():
    assert ecdsa.VerifyingKey.from_pem(keyfiles.public_pem(USER.public)).to_string() == USER.public


def test_what_is_not_a_public_key_file_is_refused(tmp_path):
    for foreign in (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())):
        public = foreign.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        with pytest.raises(Malformed) as caught:
            keyfiles.parse_public_pem(public.decode())
        assert caught.value.reason == "key-file"
    keyfiles.make_private_file(tmp_path / "private.pem")
    good = keyfiles.public_pem(USER.public)
    for text in ("", "ssh-ed25519 AAAA", good[:80], good.replace("A", "B"), (tmp_path / "private.pem").read_text()):
        with pytest.raises(Malformed) as caught:
            keyfiles.parse_public_pem(text)
        assert caught.value.reason == "key-file"


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    keyfiles.write_file(tmp_path / "file", b"old")

    def power_cut(*_):
        raise OSError

    monkeypatch.setattr(os, "replace", power_cut)
    with pytest.raises(OSError):
        keyfiles.write_file(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_is_made_once(tmp_path):
    keyfiles.make_folder(tmp_path / "a/b")
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o700
    with pytest.raises(Conflict) as caught:
        keyfiles.make_folder(tmp_path / "a/b")
    assert caught.value.reason == "file-exists"
