"""`admit virtual`: a board on this machine, for trying things out and for tests."""

import asyncio
import errno
import fcntl
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
import rich_click as click

from admit.names import check_name
from admit_cli.command import Call, command
from admit_cli.output import say
from admit_cli.visiting import run
from admit_protocol.errors import Busy, LocalError

AIR_PORT = 6402
REPL_BANNER = "MicroPython v"


@command("admit virtual kiosk-1", prints_data=False)
@click.argument("name")
@click.option("--storage", type=click.Path(file_okay=False, path_type=Path), help="The folder that is its flash.")
@click.option(
    "--air", type=click.IntRange(1, 65535), default=AIR_PORT, show_default=True, help="Port of the air it is on."
)
@click.option("--udp", type=click.IntRange(1, 65535), help="Port for CoAP over UDP. Default: any free one.")
@click.option("--clock", metavar="DATE", help="What its clock says now, like '2026-11-25 10:00'. Default: the time.")
def virtual(call: Call, name, storage, air, udp, clock):
    """Run the virtual board NAME until Ctrl-C: MicroPython with a flash, a cable, a radio and a door, all virtual.

    A new one is blank, as if MicroPython had just been flashed: admit provision makes a kiosk of it over its cable, a
    pseudo-terminal. What is on its flash stays there for the next time. Boards with the same --air hear each other.
    Each line that it prints is something that happens to it.
    """
    check_name(name)
    folder = storage or Path(platformdirs.user_data_dir("admit", appauthor=False)) / "virtual" / name
    settings = {"CLOCK_OFFSET_S": str(_moment(clock) - call.now)} if clock else {}
    with _alone(folder):
        run(_run(name, folder, air, udp or 0, settings))


def _moment(text: str) -> int:
    from admit.forms import parse_zone
    from admit_cli.types import parse_date

    return parse_date(text, parse_zone("UTC"), "--clock")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the flash: two boards on one would spoil it. Raises Busy board-running."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(folder / "lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("board-running", f"a board on {folder} is running already") from None
        yield


async def _run(name: str, folder: Path, air_port: int, udp_port: int, settings: dict[str, str]) -> None:
    from admit.virtual.board import VirtualBoard

    def tell(line: str) -> None:
        say(line)
        if line.startswith(REPL_BANNER):
            say(f"No firmware runs on it. To make a kiosk of it: admit provision {board.cable} --name {name}")

    air = await _join_air(air_port)
    board = VirtualBoard(
        folder,
        air=f"tcp-client:127.0.0.1:{air_port}",
        udp_port=udp_port,
        settings=settings,
        on_line=tell,
        blank=True,
    )
    try:
        async with board:
            say(f"{name} has power. Its cable: {board.cable}   UDP: udp://127.0.0.1:{board.udp_port}")
            say(f"To reach it by radio: export ADMIT_BLE=tcp-client:127.0.0.1:{air_port}")
            await until_stopped(board)
    finally:
        if air:
            await air.stop()


async def _join_air(port: int):
    """The air of this machine at `port`: ours if nobody has made one, else None, and it is somebody else's."""
    from admit.virtual.air import Air

    air = Air(port)
    try:
        await air.start()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return air


async def until_stopped(board) -> None:
    """Wait for Ctrl-C. Raises LocalError board-ended if the board ends by itself."""
    stopped = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    while not stopped.is_set():
        if not board.running:
            raise LocalError("board-ended", list(board.console)[-1] if board.console else "it said nothing")
        try:
            await asyncio.wait_for(stopped.wait(), 0.5)
        except TimeoutError:
            continue
