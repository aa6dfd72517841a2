"""What kinds of board there are: boards/<name>/board.toml, or a file of somebody's own.

Owns: the file's form, which is checked strictly, and board.json, the part of it that goes onto the board.
Must not know: what is done with a board.
"""

import dataclasses
import functools
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import admit
from admit_protocol.errors import LocalError, NotFound

FILE = "board.toml"
PORTS, RADIOS = ("esp32", "virtual"), ("ble", "none")
_KINDS = {"flash_size": int, "image_offset": int, "partitions": dict, "pins": dict, "screen": bool}
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_VERSION = re.compile(r"\d+\.\d+\.\d+")


@dataclasses.dataclass(frozen=True)
class Board:
    """A kind of board. A board without a `chip` has no ROM loader: it is not flashed.

    port           the folder of firmware/ports that it runs: "esp32" or "virtual"
    chip           as esptool calls it: "esp32", "esp32s3", …; None if there is none
    radio          "ble" or "none"
    flash_size     bytes that it has at least; 0 if it has no chip
    image          MicroPython's name of its image: "ESP32_GENERIC"; `download` is the page with its releases
    image_offset   where in flash the image begins
    partitions     name → (offset, least size) in flash, of what an image's own table must have
    pins           what is wired → GPIO number: button, led, rgb, relay, buzzer, or a name of one's own
    screen         does a screen of its own stand at its cable (admit kiosk-screen)? It is told names and codes
    """

    name: str
    title: str
    port: str
    radio: str
    chip: str | None = None
    flash_size: int = 0
    image: str = ""
    image_offset: int = 0
    download: str = ""
    minimum_version: str = "1.23.0"
    partitions: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
    pins: dict[str, int] = dataclasses.field(default_factory=dict)
    screen: bool = False

    def config(self) -> bytes:
        """board.json, which tells the firmware what it runs on."""
        told: dict[str, Any] = {"board": self.name, "port": self.port, "chip": self.chip, "radio": self.radio}
        told["pins"] = self.pins
        if self.screen:
            told["screen"] = True
        return json.dumps(told, separators=(",", ":")).encode()


def names() -> list[str]:
    """The boards that come with admit."""
    return sorted(path.parent.name for path in _folder().glob(f"*/{FILE}"))


def with_chip(chip: str) -> str:
    """The first of them with this chip, as esptool calls it. Raises NotFound("board-unknown")."""
    for name in names():
        if load(name).chip == chip:
            return name
    raise NotFound("board-unknown", f"no board that comes with admit has an {chip}")


def load(name_or_path: str | Path) -> Board:
    """A board by its name, or by the path of its board.toml or of the folder with it. NotFound("board-unknown")."""
    given = Path(name_or_path)
    if str(given) in names():
        return _parse(_folder() / given / FILE)
    file = given if given.suffix == ".toml" else given / FILE
    if not file.is_file():
        raise NotFound("board-unknown", f"there is no board {given}; there are {', '.join(names())}")
    return _parse(file)


def told(name: str) -> Board:
    """The board that a device says it is: one that comes with admit. No path: a device does not choose our files.

    Raises NotFound("board-unknown").
    """
    if name not in names():
        raise NotFound("board-unknown", f"it says that it is a {name[:40]!r}; there are {', '.join(names())}")
    return load(name)


def _folder() -> Path:
    """Where the boards are: in a checkout at its root, in an installed admit below admit/_files."""
    checkout = Path(__file__).resolve().parents[2] / "boards"
    return checkout if checkout.is_dir() else Path(admit.__file__).parent / "_files/boards"


def _parse(file: Path) -> Board:
    """The board that a file describes; its name is its folder's. Raises LocalError("board-file")."""
    try:
        return _described(file.resolve().parent.name, file.read_bytes())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError, TypeError) as error:
        raise LocalError("board-file", f"{file}: {error}") from None


@functools.lru_cache(maxsize=16)
def _described(name: str, text: bytes) -> Board:
    board = Board(name=name, **_typed(tomllib.loads(text.decode())))
    _check(board)
    return board


def _typed(described: dict[str, Any]) -> dict[str, Any]:
    """The fields of a file, each of its type. Raises ValueError."""
    fields = {each.name: each for each in dataclasses.fields(Board) if each.name != "name"}
    for name, value in described.items():
        if name not in fields:
            raise ValueError(f"nothing is called {name}; there are {', '.join(fields)}")
        if type(value) is not _KINDS.get(name, str):
            raise ValueError(f"{name} is of the wrong kind")
    for name in ("title", "port", "radio"):
        if name not in described:
            raise ValueError(f"{name} is missing")
    partitions = {name: _place(name, place) for name, place in described.get("partitions", {}).items()}
    return described | {"partitions": partitions}


def _place(name: str, place: Any) -> tuple[int, int]:
    if not isinstance(place, list) or len(place) != 2 or any(type(each) is not int or each < 0 for each in place):
        raise ValueError(f"partition {name} must be [offset, size]")
    return place[0], place[1]


def _check(board: Board) -> None:
    """Raise ValueError for what cannot be a board."""
    if not _NAME.fullmatch(board.name):
        raise ValueError(f"{board.name} is no name for a board: small letters, digits and _, in its folder's name")
    if board.port not in PORTS or board.radio not in RADIOS:
        raise ValueError(f"port is one of {', '.join(PORTS)}; radio one of {', '.join(RADIOS)}")
    if not _VERSION.fullmatch(board.minimum_version):
        raise ValueError("minimum_version must be like 1.23.0")
    for name, gpio in board.pins.items():
        if type(gpio) is not int or not 0 <= gpio < 64:
            raise ValueError(f"pin {name} must be a GPIO number")
    if board.chip and not (board.image and board.flash_size >= 0x10000 and 0 <= board.image_offset < board.flash_size):
        raise ValueError("a board with a chip needs image, image_offset and flash_size")
