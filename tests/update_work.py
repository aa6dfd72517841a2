"""A board with two slots in a folder, releases for it, and whoever brings them: for tests on both runtimes."""

import sys
from hashlib import sha256

from admit_device.journal_page import page
from admit_protocol import cbor, coap, issuing, journal, release
from admit_protocol.journal_reader import parse_record
from folders import Folder
from memory_ports import WEDNESDAY
from ports import slots
from visitors import SITE, Visitor, new_kiosk, reason

BYTECODE = getattr(sys.implementation, "_mpy", 0) & 0xFF
STAGE, SWITCH, ROLLBACK, ABANDON = [cbor.encode({1: number}) for number in (1, 2, 3, 4)]
_signed = {}
OLD = {"start.mpy": b"start 1", "admit_device/device.mpy": b"app 1" * 300, "routines.mpy": b"door"}
NEW = {"start.mpy": b"start 2", "admit_device/device.mpy": b"app 1" * 300, "lib/more.mpy": b"more" * 400}


def rows(files):
    """The rows of a set, {name: content}."""
    return sorted([(name, len(data), sha256(data).digest()) for name, data in files.items()])


def set_hash(files):
    return sha256(b"".join([name.encode() + b"\0" + digest for name, _, digest in rows(files)])).digest()


def pack(data):
    """Raw deflate of stored blocks: RFC 1951 section 3.2.4."""
    length = len(data).to_bytes(2, "little")
    return b"\1" + length + bytes([byte ^ 255 for byte in length]) + data


def manifest(files=NEW, key=SITE.key, site=SITE.anchor, **changed):
    """The manifest of a release with these files, signed once."""
    kind = repr((rows(files), key.public, site.site_id, sorted(changed.items())))
    if kind not in _signed:
        _signed[kind] = _sign(files, key, site, changed)
    return _signed[kind]


def _sign(files, key, site, changed):
    told = {"version": "2.0", "sequence": 2, "floor": 1, "boards": ["rig"], "port": "virtual", "bytecode": BYTECODE}
    told.update({"room": 100, "issued_at": WEDNESDAY - 1000, "expires": WEDNESDAY + 10**6})
    told.update(changed)
    return issuing.release(key, site.site_id, rows=rows(files), **told)


def write_set(root, slot, files):
    for name, data in files.items():
        path = root + "/" + slot + "/" + name
        slots.make_folders(path)
        with open(path, "wb") as file:
            file.write(data)


def read_set(root, slot):
    """{name: content} of what is in a slot."""
    found = {}
    for name in slots.names(root + "/" + slot):
        with open(root + "/" + slot + "/" + name, "rb") as file:
            found[name] = file.read()
    return found


def kiosk_with_slots(root, files=OLD):
    """A kiosk that runs `files` in slot a."""
    write_set(root, "a", files)
    with open(root + "/slot", "w") as file:
        file.write("a")
    rig = new_kiosk()
    rig.flash, rig.set_hash = root, set_hash(files)
    return rig


def restart(rig, usual=None):
    """Switch it off and on again: boot.py chooses the slot."""
    root = rig.flash
    sys.path[:] = [path for path in sys.path if not path.startswith(root)]
    sys.modules.pop("boot", None)
    with open(_boot_py()) as file:
        source = file.read().replace('"/', '"' + root + "/").replace("micropython.kbd_intr(-1)", "pass")
    here = {}
    exec(source, here)
    rig.trial = slots.trial(root)
    rig.set_hash = slots.installed(root)
    rig.faults = []
    rig.boot()
    return sys.path[0][-1]


def _boot_py():
    from support import HERE

    return HERE + "/../firmware/boot.py"


class Carrier:
    """Somebody who brings a release to a kiosk. `fails`: reason of the first refusal, where `bring` ended."""

    def __init__(self, rig, name="admin", visitor=None):
        self.rig, self.visitor = rig, visitor or Visitor(rig, name)
        self.moved = 0

    def ask(self, method, body):
        return self.visitor.ask(method, "/release", body)

    def told(self, method, body):
        """The decoded answer to what must be well."""
        answer = self.ask(method, body)
        assert answer.code == coap.CHANGED, (coap.code_text(answer.code), answer.payload)
        return cbor.decode(answer.payload) if answer.payload else None

    def state(self):
        """Field 7 of GET /release."""
        return cbor.decode(self.ask(coap.GET, b"").payload)[7]

    def stage(self, data):
        return self.told(coap.POST, cbor.encode({1: 1, 2: data}))

    def look(self):
        while True:
            state = self.told(coap.PUT, cbor.encode([]))
            if state[1] == 0:
                return state

    def put(self, item, data, size=1000):
        """Send an item in pieces, from where it is."""
        have = self.piece(item, 0, data, b"")
        while have < len(data):
            have = self.piece(item, have, data, data[have : have + size])

    def piece(self, item, offset, data, piece):
        self.moved += len(piece)
        return self.told(coap.PUT, cbor.encode([item, offset, len(data), piece]))

    def bring(self, files=NEW, old=OLD, data=None, items=None):
        """All that is missing of a release; nothing is switched."""
        state = self.stage(data or manifest(files))
        if state[3]:
            return
        if state[2] and state[2][0][0] == 0:
            self.put(0, pack(release.delta(rows(old), rows(files), set_hash(old))))
        names = [row[0] for row in rows(files)]
        for item, _ in self.look()[2]:
            self.put(item, (items or {}).get(item) or pack(files[names[item - 1]]))

    def switch(self):
        self.told(coap.POST, SWITCH)
        assert self.rig.restarted is None
        self.rig.pass_s(1)
        assert self.rig.restarted is False


class Board:
    """`with Board() as board`: a kiosk with slots, and an admin who brings releases to it."""

    def __init__(self, files=OLD):
        self.files = files

    def __enter__(self):
        self.folder = Folder()
        self.folder.__enter__()
        self.root = self.folder.path
        self.rig = kiosk_with_slots(self.root, self.files)
        self.carrier = Carrier(self.rig)
        return self

    def __exit__(self, *_):
        sys.path[:] = [path for path in sys.path if not path.startswith(self.root)]
        self.folder.__exit__()

    def refused(self, method, body):
        answer = self.carrier.ask(method, body)
        assert answer.code >= 0x80, coap.code_text(answer.code)
        assert read_set(self.root, "a") == self.files
        return reason(answer)

    def stage_refused(self, **changed):
        return self.refused(coap.POST, cbor.encode({1: 1, 2: manifest(**changed)}))

    def restart(self):
        """The slot that runs then; somebody new brings releases."""
        slot = restart(self.rig)
        self.carrier = Carrier(self.rig)
        return slot

    def update(self, files=NEW, old=OLD, **changed):
        """Bring a release, and restart into its trial."""
        self.rig.restarted = None
        self.carrier.bring(files, old, manifest(files, **changed))
        self.carrier.switch()
        return self.restart()

    def records(self):
        found = [parse_record(each) for each in page(self.rig.device.journal, 0, 1 << 20)[2]]
        return [each for each in found if each.kind == journal.RELEASE]
