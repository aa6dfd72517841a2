"""The trial of a new set: it proves itself in one start, or the old one runs again. Loaded for that alone.

boot.py has marked the trial as begun before anything of the set ran; whatever goes wrong from there on, a fault, a
reset, silence, ends it, and the next start is the old set's, which tells of it. What raises here is written down by
main.py. Only `confirm` makes the new set the one that runs: one write of the port's, and all that follows it is done
again at the next start if power fails in between.
"""

import gc

from admit_device.faults import print_exception
from admit_device.identity import COMMISSIONED
from admit_device.releases import FLOOR, KINDS, LAST, SEQUENCE, SET_FLOOR, SET_VERSION, SLOTS, installed, store, stored
from admit_protocol import ccs, coap, edhoc, edhoc_client, journal
from admit_protocol.const import const
from admit_protocol.edhoc_initiator import Initiator
from admit_protocol.errors import LocalError, StorageError

_PROBE = const("self-test")
_HEAP = const(8 * 1024)  # bytes that must be left: less does for no visitor
_METHOD = const(2)
_SUITE = const(2)
_PEER = const(b"\x01")  # the kid, and C_I, of the visitor that is none


def settle(device):
    """At a start that finds a trial: if it is over, say so."""
    ports = device.ports
    if ports.trial == "confirmed":
        ports.updates().confirm()  # of which power may have left only a part
        _tell_confirmed(device)
    elif ports.trial == "trial-image" and ports.reset_cause == "soft":
        ports.restart()  # this start passed no bootloader, which has yet to boot the image
    elif ports.trial != "on":
        reason = "trial-not-begun" if ports.trial == "waiting" else ports.trial
        if reason in ("trial-no-answer", "trial-image"):
            reason += ": " + ports.reset_cause
        _tell_failed(device, reason)


def prove(device):
    """The self-test, and the confirmation. Raises LocalError trial-…, of which there is one for each step."""
    _step("trial-identity", lambda: _check_identity(device))
    _step("trial-storage", lambda: _check_storage(device.ports.storage))
    _step("trial-faults", lambda: _check_faults(device.ports))
    _step("trial-links", lambda: _check_links(device))
    _step("trial-loop", lambda: _check_loop(device))
    _step("trial-handshake", lambda: _shake_hands(device))
    gc.collect()
    if hasattr(gc, "mem_free") and gc.mem_free() < _HEAP:
        raise LocalError("trial-heap")
    device.ports.updates().confirm()
    device.ports.trial = "confirmed"
    try:
        _tell_confirmed(device)
    except StorageError as error:  # the next start tells it
        print_exception(error)


def _step(reason, step):
    try:
        step()
    except Exception as error:
        raise LocalError(reason + ": " + str(getattr(error, "reason", "") or type(error).__name__))


def _check_identity(device):
    if device.identity.state != COMMISSIONED or device.sessions is None:
        raise LocalError("identity-lost")


def _check_storage(storage):
    data = b"self-test of the storage"
    storage.write(_PROBE, data)
    if storage.read(_PROBE) != data:
        raise LocalError("storage-failed")
    storage.remove(_PROBE)


def _check_faults(ports):
    """A radio that did not start, routines that do not load."""
    if ports.faults:
        raise LocalError(ports.faults[0])


def _check_links(device):
    """Whoever could come before can come now: over the air, over the cable."""
    kinds = [server.kind for server in device.ports.links]
    for kind in stored(device)[KINDS]:
        if kind not in kinds:
            raise LocalError(kind)


def _check_loop(device):
    """What every turn of the main loop does; and whoever asks who the device is, is answered."""
    device.expire()
    link = _Loop()
    told = device.front.answer(link, coap.request(coap.GET, "/id"))
    if told is None or told.code != coap.CONTENT:
        raise LocalError("refused")
    device.front.forget(link)


# -- a visitor that is none --


class _Layer:
    max_payload = 512


class _Loop:
    """A link from the device to itself."""

    kind = "ble"
    layer = _Layer()
    proven = met = False
    challenge = sealed = None


def _shake_hands(device):
    """A whole handshake with the device's own key, answered where visitors are answered."""
    key, link = device.suite.generate(), _Loop()
    own = ccs.credential(ccs.encode(None, key.public, _PEER))
    visitor = Initiator(device.suite, _METHOD, [_SUITE], key, edhoc.by_value(own.data), own, _PEER)
    visitor.parse_message_2(_answer(device, link, None, visitor.message_1()))
    visitor.verify_message_2(device.profile.own(device.identity)[2])
    _answer(device, link, visitor.c_r, visitor.message_3())
    found = device.sessions.newcomers()
    if not found:
        raise LocalError("no session")
    for session in found:
        device.sessions.close(session)
    key.erase()
    device.front.forget(link)


def _answer(device, link, c_r, message):
    body = edhoc_client.encode_prefixed(c_r, message)
    told = device.front.answer(link, coap.request(coap.POST, "/.well-known/edhoc", body))
    if told is None or told.code != coap.CHANGED:
        raise LocalError("refused")
    return told.payload


# -- how it ended --


def _tell_confirmed(device):
    updates = device.ports.updates()
    updates.abandon()  # first, since what follows needs room
    known = stored(device)
    own = known[SLOTS].get(updates.slot)
    if own and own[0] == installed(device):
        known[FLOOR], known[LAST] = max(known[FLOOR], own[SET_FLOOR]), None
        store(device, known)
        _record(device, own, journal.DONE, {})
    _end(device, updates)


def _tell_failed(device, reason):
    updates = device.ports.updates()
    if updates:
        updates.abandon()
    if updates and device.identity.state == COMMISSIONED:
        other = [b"", 0, 0, ""]
        try:
            known = stored(device)
            other = known[SLOTS].pop(updates.other, other)
            known[LAST] = [other[SEQUENCE], reason]
            store(device, known)
        except StorageError as error:  # which the new set may have filled: that must not keep the next one away
            print_exception(error)
        _record(device, other, journal.FAILED, {journal.REASON: reason})
    _end(device, updates)


def _record(device, of_set, outcome, extra):
    extra[journal.COUNT] = of_set[SEQUENCE]
    try:
        device.journal.record(journal.RELEASE, None, of_set[SET_VERSION], outcome, extra)
    except StorageError as error:  # a damaged journal must not keep the next update away
        print_exception(error)


def _end(device, updates):
    """The note of the trial goes last."""
    if updates:
        updates.end_trial()
    device.ports.trial = None
    device.ports.watch()
