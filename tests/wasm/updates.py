"""An update, as an act of a kiosk on the WebAssembly build: what lies in its slots, and who brings it a release."""

import time
import zlib
from hashlib import sha256

from admit.visit import visit
from admit_protocol import cbor, coap, release
from kiosks import authority

PIECE = 1024
OLD = {f"admit_device/module_{number:03}.mpy": bytes([number]) * 40 for number in range(100)}
NEW = OLD | {"admit_device/module_050.mpy": bytes(range(256)) * 16}
SLOTS = {"/up/slot": b"a", "/up/b/none": b""} | {f"/up/a/{name}": content for name, content in OLD.items()}
IMAGE = bytes(range(255)) * 50
SLOTS |= {"/up/ota_1": b"stale" * 4096, "/up/runs": b"what runs" * 2000}
FILES = {path: content.hex() for path, content in SLOTS.items()}


async def update(site, board):
    """An admin brings a release of a hundred files, of which one has changed, and of an image of MicroPython, and does
    not know what runs.
    """
    async with visit(board.transport("ble", 0), site.wallet("admin"), "kiosk-1") as session:
        await _bring(session, site, release.delta(_rows(OLD), _rows(NEW)), NEW, IMAGE)


async def _bring(session, site, delta, new, image):
    async def ask(method, body):
        return cbor.decode((await session.request(method, "/release", cbor.encode(body))).payload)

    async def put(item, content):
        packer, have = zlib.compressobj(9, zlib.DEFLATED, -12, 9), 0
        data = content if item == release.IMAGE else packer.compress(content) + packer.flush()
        while have < len(data):
            have = await ask(coap.PUT, [item, have, len(data), data[have : have + PIECE]])

    now = int(time.time())
    said = (1, ["wasm"], "wasm", 6, 1000)
    about = (len(image), sha256(image).digest())
    manifest = authority(site).issue_release("2.0", 2, _rows(new), said, now - 60, now + 86400, about)
    assert (await ask(coap.POST, {1: 1, 2: manifest}))[2] == [[0, 0]]
    await put(0, delta)
    while (state := await ask(coap.PUT, []))[1]:
        pass
    assert state[2] == [[51, 0], [release.IMAGE, 0]]
    await put(51, new["admit_device/module_050.mpy"])
    await put(release.IMAGE, image)
    assert (await session.request(coap.POST, "/release", cbor.encode({1: 2}))).code == coap.CHANGED


def _rows(files):
    return sorted((name, len(content), sha256(content).digest()) for name, content in files.items())
