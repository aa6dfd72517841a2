"""An update with MicroPython's own image over the air, on a board with OTA partitions, and power that fails in it."""

import asyncio
import contextlib
import os
from hashlib import sha256

import pytest

from admit import releases
from admit.connection import Connection
from admit.updating import Patience, Update
from admit_protocol import issuing
from admit_protocol.errors import AdmitError
from chip.board_ota import TABLE, program
from esp32_kiosk import CONFIG, ROUTINES, commissioned, compile_module, compiled_firmware
from memory_ports import WEDNESDAY
from update_bench import Nobody
from wired_kiosk import next_visit

OLD, NEW = [program("esp32", bytes([number]) * 9000) for number in (1, 2)]
QUICK = Patience(back=60, pause=0.1, leaves=1.1)
CUTS = ("30", "ota_1"), ("2", "otadata")  # in the image; in the bootloader's notes
BAD = ("\nnowhere()\n", "\nraise SystemExit\n") if os.environ.get("ADMIT_EXHAUST") else ()  # routines


class Way:
    """How an admin brings releases to a board whose partitions are files in `folder`."""

    def __init__(self, kiosk, admin, folder):
        self.kiosk, self.admin, self.folder = kiosk, admin, folder

    @contextlib.asynccontextmanager
    async def __call__(self):
        async with Connection(self.kiosk.cable()) as line:
            yield await next_visit(line, self.admin, self.kiosk.credential)

    async def update(self, made):
        return await Update(self, made, Nobody(), patience=QUICK).run()

    def runs(self):
        """The partition that runs."""
        return (self.folder / "running").read_text()


def flash(folder):
    """Partitions as esptool leaves them."""
    folder.mkdir()
    for name, content in (("otadata", b""), ("ota_0", OLD), ("ota_1", b"")):
        (folder / name).write_bytes(content.ljust(TABLE[name][3], b"\xff"))
    return folder


def release(kiosk, folder, image, more):
    """A release of the firmware that runs, with other routines."""
    source, target = folder / "routines.py", folder / "routines.mpy"
    source.write_text(ROUTINES + more)
    compile_module(source, target, "routines")
    root = compiled_firmware()
    files = {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.mpy"))}
    files["routines.mpy"] = target.read_bytes()
    told = {"version": "2.0", "sequence": 2, "floor": 1, "boards": [CONFIG["board"]], "port": "esp32", "bytecode": 6}
    told |= {"room": 100, "issued_at": WEDNESDAY - 1000, "expires": WEDNESDAY + 10**9}
    about = (len(image), sha256(image).digest())
    site = kiosk.site
    data = issuing.release(site.key, site.anchor.site_id, rows=releases.rows_of(files), **told, image=about)
    return releases.pack(data, files, image)


async def until_the_power_fails(board, work):
    task = asyncio.create_task(work)
    while board.running:
        assert not task.done(), task.exception() or task.result()
        await asyncio.sleep(0.02)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, AdmitError):
        await task


def test_image_and_files_arrive_together_wherever_power_fails(tmp_path):
    folder = flash(tmp_path / "ota")
    settings = {"CHIP_OTA": str(folder)}

    async def story():
        async with commissioned(tmp_path, settings=settings, faults=bool(BAD)) as (kiosk, admin):
            way, made = Way(kiosk, admin, folder), release(kiosk, tmp_path, NEW, "\nMORE = 1\n")
            assert way.runs() == "ota_0"
            for number, place in CUTS:
                kiosk.board._settings.update({"CHIP_CUT": number, "CHIP_CUT_IN": place})
                await kiosk.board.restart()
                await kiosk.ready()
                await until_the_power_fails(kiosk.board, way.update(made))
                assert way.runs() == "ota_0"
            kiosk.board._settings.pop("CHIP_CUT")
            await kiosk.board.restart()
            await kiosk.ready()
            for more in BAD:
                with pytest.raises(AdmitError, match="update-went-back: trial-faults"):
                    await way.update(release(kiosk, tmp_path, NEW, more))
                assert way.runs() == "ota_0"
            outcome = await way.update(made)
            assert (way.runs(), outcome.runs.slot, outcome.runs.sequence) == ("ota_1", "b", 2)
            assert outcome.runs.set_hash == made.manifest.set_hash
            await kiosk.board.restart()
            await kiosk.ready()
            assert way.runs() == "ota_1" and (await way.update(made)).sent == 0

    asyncio.run(asyncio.wait_for(story(), 120))
