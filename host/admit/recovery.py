"""Recovery: the authority comes back by k of n people's shares, though its passphrase is lost, or the machine too.

Owns: the recovery file: the authority's two key files, its anchor and the passphrase that opens them and the backups,
in an age file whose own passphrase is the secret that was split, in hexadecimal.
Rules: the secret is nowhere but in the shares; the file alone, or fewer shares, tell nothing. Shares stay good when the
passphrase changes: the file is written anew with it.
Must not know: who holds the shares, and how they are shown and asked for.
"""

import contextlib
import os
from dataclasses import dataclass

from admit import age_file, archive, authority, keyfiles, shares
from admit.archive import Entry
from admit.site import Site
from admit_protocol import anchor
from admit_protocol.anchor import Anchor
from admit_protocol.errors import AdmitError, Conflict, LocalError, Malformed

FORM = "admit-recovery"
FILE = "recovery.age"  # in the site's folder

_PASSPHRASE = "passphrase"
_NAMES = [keyfiles.ANCHOR, *authority.KEY_FILES, _PASSPHRASE]


@dataclass(frozen=True)
class Recovered:
    """What the shares have opened: which site's authority it is, its key files by name, and their passphrase."""

    anchor: Anchor
    key_files: dict[str, bytes]
    passphrase: str

    def __repr__(self) -> str:
        return f"<Recovered authority of {self.anchor.site_id.hex()}>"


def create(site: Site, passphrase: str, count: int, threshold: int) -> tuple[bytes, list[str]]:
    """A new recovery file, and its shares. Raises LocalError recovery-numbers, key-passphrase."""
    key_files = site.authority(lambda: passphrase).key_files()
    secret = os.urandom(shares.SECRET_LENGTH)
    words = shares.split(secret, count, threshold)
    return _sealed(Recovered(site.anchor, key_files, passphrase), secret), words


def open_file(data: bytes, secret: bytes) -> Recovered:
    """What is in a recovery file. Raises LocalError recovery-other-shares, Malformed recovery-file, and what
    age_file.unseal and archive.unpack do.
    """
    try:
        opened = age_file.unseal(data, secret.hex())
    except LocalError:
        raise LocalError("recovery-other-shares", "these shares are good, but they open another file") from None
    _, entries = archive.unpack(FORM, opened)
    held = {entry.name: entry.data for entry in entries}
    if sorted(held) != sorted(_NAMES):
        raise Malformed("recovery-file", "it does not hold an authority")
    return _checked(held)


def _checked(held: dict[str, bytes]) -> Recovered:
    """The authority, if its keys open and are those of its anchor."""
    key_files = {name: held[name] for name in authority.KEY_FILES}
    try:
        known, passphrase = anchor.decode(held[keyfiles.ANCHOR]), held[_PASSPHRASE].decode()
        publics = [keyfiles.parse_private_pem(each, passphrase).public for each in key_files.values()]
    except (AdmitError, UnicodeDecodeError):
        raise Malformed("recovery-file", "its keys do not open") from None
    if publics != [known.sign_public, known.ecdh_public]:
        raise Malformed("recovery-file", "its keys are not those of its anchor")
    return Recovered(known, key_files, passphrase)


def put_back(site: Site, found: Recovered, secret: bytes, passphrase: str) -> None:
    """Give a site its authority's keys again, under a new passphrase; the recovery file follows. All or nothing.

    Raises LocalError authority-passphrase, Conflict recovery-other-site.
    """
    check_site(site, found)
    authority.check_passphrase(passphrase)
    files = {name: keyfiles.reencrypt(pem, found.passphrase, passphrase) for name, pem in found.key_files.items()}
    renewed = _sealed(Recovered(found.anchor, files, passphrase), secret)
    authority.replace_files(site.folder, files | _older(site, found.passphrase, passphrase) | {FILE: renewed})
    site.authority(lambda: passphrase).key_files()


def _older(site: Site, passphrase: str, new: str) -> dict[str, bytes]:
    """The ECDH keys of before that are still here, under the new passphrase; one that does not open stays as it is."""
    files = {}
    for file in site.authority(lambda: passphrase).older_keys():
        with contextlib.suppress(LocalError):
            files[file.name] = keyfiles.reencrypt(file.read_bytes(), passphrase, new)
    return files


def check_site(site: Site, found: Recovered) -> None:
    """Whether it is this site's authority, with its present keys. Raises Conflict recovery-other-site,
    recovery-older-authority.
    """
    if site.anchor.site_id != found.anchor.site_id:
        raise Conflict("recovery-other-site", f"it is the authority of {found.anchor.name}, not of {site.name}")
    if site.anchor.successions != found.anchor.successions:
        raise Conflict("recovery-older-authority", "the site's authority has other keys since, or had others before")


def _sealed(kept: Recovered, secret: bytes) -> bytes:
    entries = [Entry(keyfiles.ANCHOR, kept.anchor.encode())]
    entries += [Entry(name, data) for name, data in kept.key_files.items()]
    entries.append(Entry(_PASSPHRASE, kept.passphrase.encode()))
    return age_file.seal(archive.pack(FORM, {"site": kept.anchor.name}, entries), secret.hex())
