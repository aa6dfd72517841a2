"""What happens once: when a device starts, and when it joins a site. Loaded for that alone."""

from admit_device import faults
from admit_device.device import guarded
from admit_device.faults import print_exception
from admit_device.identity import COMMISSIONED
from admit_device.ondemand import kept
from admit_device.routine_forms import collect
from admit_device.wiping import CERTIFICATE
from admit_protocol import cbor
from admit_protocol import journal as records
from admit_protocol.errors import StorageError


def open_device(device, namespace):
    """The device starts; `namespace` has the names of its routines file."""
    _begin_log(device.ports.clock)
    device.identity = _identity_of(device.ports, device.suite)
    device.boots = _count_boot(device.ports.storage)
    guarded(lambda: _note_start(device))
    device.routines, device.outputs = collect(namespace)
    device.sensors = namespace.get("sensors", {})  # start.py has looked at their form
    device.kiosk.rest(device.outputs)
    if device.identity.state == COMMISSIONED:
        _open_site(device)
        guarded(device.end_overlap)
        guarded(lambda: _record_start(device))
        if "takeover" in device.ports.storage.names():
            from admit_device.takeover import resume

            guarded(lambda: resume(device))
    if device.ports.trial:
        from admit_device.trial import settle

        guarded(lambda: settle(device))


def join(device):
    """The identity has changed. If the device has been commissioned, or again has, what storage refused the last time
    is done now.
    """
    if device.identity.state == COMMISSIONED:
        if device.sessions is None:
            _open_site(device)
        _settle(device)
    for server in device.ports.links:
        server.advertise(device.name)
    device.show_state()


def _open_site(device):
    """Make what a commissioned device has beyond a factory one."""
    with kept():
        from admit_device.journal import Journal
        from admit_device.login import Login
        from admit_device.preparation import Preparation
        from admit_device.sessions import Sessions

    storage, clock, identity, suite = device.ports.storage, device.clock, device.identity, device.suite
    access = device.profile.access(storage, clock, identity, suite)
    access.boots = device.boots
    journal = Journal(storage, clock, records.first_head(identity.credential.public))
    preparation = Preparation(suite, device.boots)
    login = Login(clock, device.record_login, device.show_state)
    sessions = Sessions(suite, clock, device.profile, identity, access, preparation, journal, device.ended)
    device.access, device.journal, device.preparation = access, journal, preparation
    device.login, device.sessions = login, sessions
    device.front.open_site()


def _settle(device):
    """What follows from the credential. Done again at each start: power may fail between that and this."""
    if device.clock.floor is not None:  # a damaged one waits for more than that
        device.clock.raise_floor(max(device.identity.credential.issued_at, device.access.issued_at))
    if not device.journal.count:
        device.journal.record(records.COMMISSIONED, None, device.identity.device_id, records.DONE)


def _record_start(device):
    _settle(device)
    device.journal.record(records.BOOT, None, "", records.DONE, {records.COUNT: device.boots})


def _begin_log(clock):
    """`clock` counts from now: the log is empty."""
    faults.clock, faults.last = clock, None
    del faults.lines[:]
    faults.totals[:] = [0] * 6


def _identity_of(ports, suite):
    """The Identity; what a power cut left of a wipe is done first, if there is any."""
    with kept():
        from admit_device.identity import Identity

    if CERTIFICATE not in ports.storage.names():
        identity = Identity(ports.keystore, suite)
        if not identity.ending:
            return identity
    from admit_device.wiping import open_identity

    return open_identity(ports, lambda: Identity(ports.keystore, suite))


def _note_start(device):
    """Say in the log, and after a watchdog in the crash record, why the device starts."""
    ports = device.ports
    faults.note("start %d: %s" % (device.boots, ports.reset_cause))
    if ports.reset_cause == "watchdog":
        from admit_device.crash import keep_watchdog

        keep_watchdog(ports, device.boots)


def _count_boot(storage):
    """How many times the device has started, this time included; 0 if that could not be stored, since nothing may rely
    on it then. A device whose storage refuses starts all the same, and tells its visitors why it serves them nothing.
    """
    try:
        stored = storage.read("boots")
        boots = (cbor.decode(stored) if stored else 0) + 1
        storage.write("boots", cbor.encode(boots))
    except StorageError as error:
        print_exception(error)
        return 0
    return boots
