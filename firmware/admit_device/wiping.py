"""Forgetting a site: all that storage holds of it, and with a decommission the identity too. Loaded for that alone.

A decommission goes in this order: the key store notes that the device is dying and what it will certify; storage
forgets the site; the wipe certificate is signed, the key's last act, and stored; it is answered; the key is erased, and
the device starts again as one from the factory, which shows the certificate until it joins a site. A start that finds
the note, or a certificate beside a key, goes on from there: so a power cut ends in the old life or in none.
"""

from admit_device import faults
from admit_device.faults import print_exception
from admit_device.fresh_key import forget_site
from admit_device.identity import ENDING
from admit_protocol.const import const
from admit_protocol.errors import StorageError

CERTIFICATE = const("wiped")  # in storage


def change_site(identity, storage, fields):
    """Be another site's from one write on: `fields` as for Identity.keep. What storage holds then counts for nothing;
    where power fails in between, the next start removes it before anybody is served. Restart the device afterwards.
    """
    fields = dict(fields)
    fields[ENDING] = True
    identity.keep(fields)
    _forget_past(identity, storage)


def leave_site(device):
    """Everybody's session, turn, the log and whatever else RAM holds of the site goes."""
    device.sessions.end()
    del faults.lines[:]
    faults.last = None
    device.access = device.sessions = device.login = device.journal = device.preparation = None
    device.front.rest(True)
    device.kiosk.rest(device.outputs)


def open_identity(ports, read):
    """`read()`, the device's Identity, at its start; what a power cut left of a wipe is done first, if storage lets it
    be.
    """
    if CERTIFICATE in ports.storage.names() and not _is_erased(ports.keystore):
        finish(ports)
    identity = read()
    try:
        if identity.ending is True:
            _forget_past(identity, ports.storage)
        elif identity.ending:
            last_word(identity, ports.storage)
            finish(ports)
            identity = read()  # of a board that has come back from its restart: tests'
    except StorageError as error:  # it serves nobody, and tries again at the next start
        print_exception(error)
    return identity


def decommission(device, reason):
    """Wipe the device: the wipe certificate, bytes. It starts again when that has had time to go out.

    `reason`: text of at most wipe.MAX_REASON bytes. Raises StorageError: then nothing has happened, or whoever asks
    again goes on.
    """
    identity, journal, ports = device.identity, device.journal, device.ports
    if not identity.ending:
        identity.keep({ENDING: [journal.count, journal.head, device.boots, device.clock.now(), reason]})
    device.front.open_site()  # from now on it serves nobody else
    certificate = last_word(identity, ports.storage)
    device.after_answer(lambda: finish(ports))
    return certificate


def last_word(identity, storage):
    """The certificate of a dying device: the one that is stored, or, once storage has forgotten the site, a new one."""
    certificate = certificate_of(storage)
    if certificate is None:
        from admit_protocol.wipe import sign

        forget_site(storage)
        certificate = sign(identity.key, identity.anchor.site_id, identity.device_id, *identity.ending)
        storage.write(CERTIFICATE, certificate)
    return certificate


def certificate_of(storage):
    """The wipe certificate of the device's last life, or None."""
    try:
        return storage.read(CERTIFICATE)
    except StorageError:
        return None


def finish(ports):
    """The certificate is stored: erase the key, and whatever was written since; and start again."""
    try:
        forget_site(ports.storage, (CERTIFICATE,))
    finally:
        ports.keystore.erase()
        ports.scrub()
        ports.restart(False)


def _forget_past(identity, storage):
    """But for the journal of a device that was taken over: who comes next must be able to read what happened."""
    is_orphan = identity.credential.site_id != identity.anchor.site_id
    forget_site(storage, [name for name in storage.names() if is_orphan and name.startswith("journal-")])
    identity.keep({ENDING: None})


def _is_erased(keystore):
    """Is there no identity, not even half of one?"""
    try:
        return keystore.read("identity") is None
    except StorageError:
        return False
