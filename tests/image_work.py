"""A board whose flash has OTA partitions, and releases with an image of MicroPython: for tests on both runtimes."""

import sys
from hashlib import sha256

import update_work
from admit_protocol import release
from chip.board_ota import BLOCK, TABLE, Bytes, Flash, Partition, program
from ports.updates import Updates
from update_work import NEW, OLD, Board, Carrier, manifest, pack, rows, set_hash

SIZE = 8 * BLOCK  # of each partition here
FIRST, SECOND, THIRD = [program(content=bytes([n]) * (2 * BLOCK) + b"\xff" * (BLOCK + 99) + b"!") for n in (1, 2, 3)]
PAIRS = ("ota_0", "a"), ("ota_1", "b")


class Reset(BaseException):
    """The chip resets."""


class Machine:
    """What boot.py asks of `machine`."""

    WDT = dict

    @staticmethod
    def reset():
        raise Reset


class Esp32:
    """The module `esp32`."""

    Partition = Partition


def table(size=SIZE):
    """The partitions, small ones."""
    changed = dict(TABLE)
    for name in ("ota_0", "ota_1"):
        changed[name] = TABLE[name][:3] + (size,)
    return changed


def new_flash(power=lambda name, length: length, **more):
    """A flash that runs FIRST; something else lies in the other partition."""
    kept = {name: Bytes(row[3]) for name, row in table().items() if name[:3] == "ota"}
    kept["ota_0"].write(0, FIRST)
    kept["ota_1"].write(0, b"stale" * (SIZE // 5))
    made = Flash(kept.get, power, table=table(), **more)
    made.kept = kept
    made.start()
    return made


def images():
    """The port's module."""
    from ports.esp32 import image

    return image


def install(flash):
    """From now on `esp32` is this flash's; what there was before."""
    before = {name: sys.modules.get(name) for name in ("esp32", "machine")}
    Partition.flash = flash
    sys.modules["esp32"], sys.modules["machine"] = Esp32, Machine
    return before


def image_of(image):
    """An image, as a manifest has it."""
    return len(image), sha256(image).digest()


def with_image(image=SECOND, files=NEW, **more):
    """The manifest of a release with an image."""
    return manifest(files, image=image_of(image), **more)


class OtaBoard(Board):
    """Such a kiosk, and an admin who brings releases to it."""

    def __enter__(self):
        super().__enter__()
        self.ota = new_flash()
        self.before = install(self.ota)
        self.rig.updates = lambda: Updates(self.root, images)
        return self

    def __exit__(self, *_):
        for name, module in self.before.items():
            sys.modules.pop(name)
            if module:
                sys.modules[name] = module
        super().__exit__()

    def restart(self, soft=False):
        """Start again, softly or by a reset: (the partition that runs, the slot)."""
        while True:
            if not soft:
                self.ota.start()
            self.rig.reset_cause, soft, self.rig.restarted = "soft" if soft else "power", False, None
            try:
                slot = update_work.restart(self.rig)
            except Reset:
                continue
            if self.rig.restarted is None:
                self.carrier = Carrier(self.rig)
                return self.ota.running, slot

    def bring(self, image=SECOND, files=NEW, old=OLD, **more):
        """All of a release; nothing is switched."""
        self.carrier.bring(files, old, with_image(image, files, **more), {241: image})

    def look(self, data):
        """Stage a release of NEW, and bring its list: what is missing."""
        self.carrier.stage(data)
        self.carrier.put(0, pack(release.delta(rows(OLD), rows(NEW), set_hash(OLD))))
        return self.carrier.look()[2]

    def update(self, image=SECOND, files=NEW, old=OLD, **more):
        """Bring it, and restart into its trial."""
        self.rig.restarted = None
        self.bring(image, files, old, **more)
        self.carrier.switch()
        return self.restart()
