"""Putting a firmware set onto a board: what has to be sent, copied or removed is decided here, and proven at the end.

Owns: the rule of the two slots (docs/SPEC.md, "Firmware set"). The new set goes where nothing runs and is read back;
only then the root's files change and, last of all, `/slot`. Torn anywhere, the old set still runs, and the same call
again keeps what is there already.
Must not know: the line, which is receiver.py's, and what the files are.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable

from admit_protocol.errors import RemoteError, StorageError, Unverified
from admit_provisioning.boards import Board
from admit_provisioning.compile import FirmwareSet, root
from admit_provisioning.receiver import Receiver
from admit_provisioning.repl import Repl

SLOTS = "ab"
WAITING = ".new"  # what waits beside its place in the root until the set is whole
RESERVE_BLOCKS = 8  # stay free for what the device itself writes
FOLDER_BLOCKS = 2
_POINTERS = 8  # bytes of a block that lead to others
COPY_AT_ONCE = 16  # files: some seconds of a chip's time, in which it says nothing
_IS_FULL = re.compile(r"OSError: (?:\[Errno )?28\b")  # MicroPython has no name for ENOSPC

Files = dict[str, bytes]  # content by name in the slot, or by path


@dataclasses.dataclass(frozen=True)
class Installed:
    """What an install did. Bytes and turnarounds are all that there were on the line."""

    bytes_sent: int
    bytes_received: int
    turnarounds: int
    sent: tuple[str, ...]
    kept: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Found:
    """What is on a board: the slot that runs ("" if none), and of each file its size and SHA-256 (b"": not asked)."""

    block: int
    free: int
    slot: str
    files: dict[str, tuple[int, bytes]]

    def has(self, path: str, content: bytes) -> bool:
        """Is that very content there?"""
        return self.files.get(path) == (len(content), hashlib.sha256(content).digest())

    def below(self, slot: str) -> set[str]:
        """The files of a slot."""
        return {path for path in self.files if path.startswith(f"/{slot}/")}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What there is to do, by path. `content`: the whole set, where it lies before the switch.

    copy: (from, to); rename: files for the root, which wait beside their places. Without `switch` all is done already.
    """

    slot: str
    content: Files
    send: tuple[str, ...]
    copy: tuple[tuple[str, str], ...]
    remove: tuple[str, ...]
    rename: tuple[str, ...]
    switch: bool


def install(
    repl: Repl,
    firmware: FirmwareSet,
    board: Board,
    progress: Callable[[int, int], None] = lambda done, total: None,
    receiver: Receiver | None = None,
) -> Installed:
    """Bring a set, and the root's files, onto the board whose REPL this is. It runs from the next reset on.

    With a `receiver`, which runs there already, the board is reset at once, and its REPL is gone.

    `progress(done, total)` is told of bytes on the line. Raises StorageError: "install-no-room" (nothing was changed),
    "install-full"; Unverified("install-damaged"); TimedOut: "install-lost", "link-dropped", "repl-silent";
    RemoteError: "install-garbled", "repl-failed".
    """
    in_root = root(board)
    resets, receiver = receiver is not None, receiver or Receiver(repl)
    found = look(receiver, firmware.files, in_root)
    plan = decide(found, firmware.files, in_root)
    if missing := missing_room(found, plan):
        receiver.stop()
        raise StorageError("install-no-room", missing)
    bring(repl, receiver, plan, progress)
    last = ("switch", plan.slot, plan.rename) if plan.switch else ()
    if resets:
        receiver.restart(*last)
    else:
        if last:
            receiver.run(*last)
        receiver.stop()
    kept = tuple(path for path in plan.content if path not in plan.send)
    return Installed(*receiver.costs(), sent=plan.send, kept=kept)


def look(receiver: Receiver, files: Files, in_root: Files) -> Found:
    """What is on the board. It hashes its files only if one of them may be one of the set's."""
    places = ["/slot", *(f"/{slot}" for slot in SLOTS)]
    places += [path + end for path in in_root for end in ("", WAITING)]
    block, free, slot, sizes = _survey(receiver, places)
    ours = {(f"/{slot}/{name}", len(content)) for slot in SLOTS for name, content in files.items()}
    ours |= {(path + end, len(content)) for path, content in in_root.items() for end in ("", WAITING)}
    digests = receiver.run("digests") if ours.intersection(sizes) else b""
    there = {path: (size, digests[32 * at : 32 * at + 32]) for at, (path, size) in enumerate(sizes)}
    return Found(block, free, slot if slot in tuple(SLOTS) else "", there)


def _survey(receiver: Receiver, places: list[str]) -> tuple[int, int, str, list[tuple[str, int]]]:
    """(block size, free blocks, the slot that runs, path and size of each file in the places)."""
    told = receiver.run("survey", places)
    try:
        block, free, slot, files = json.loads(told)
        told_of = [(path, size) for path, size in files]
        kinds = {type(block), type(free), *(type(size) for _, size in told_of)}, {type(path) for path, _ in told_of}
        if kinds[0] != {int} or kinds[1] - {str} or block <= _POINTERS:
            raise ValueError("no board says that")
        return block, free, slot, told_of
    except (ValueError, TypeError, RecursionError):
        raise RemoteError("install-garbled", f"the board says of its files: {told[:60]!r}") from None


def decide(found: Found, files: Files, in_root: Files) -> Plan:
    """What has to be done to have the set run. A set that runs already stays in its slot, whatever the root needs."""
    running = {f"/{found.slot}/{name}": content for name, content in files.items()}
    same = found.below(found.slot) == set(running) and all(found.has(*each) for each in running.items())
    slot = found.slot if same else next(each for each in SLOTS if each != found.slot)
    content = {f"/{slot}/{name}": files[name] for name in files}
    rename = tuple(path for path in sorted(in_root) if not found.has(path, in_root[path]))
    for path in in_root:
        content[path + WAITING if path in rename else path] = in_root[path]
    content = dict(sorted(content.items(), key=_likeness))
    missing = [path for path in content if not found.has(path, content[path])]
    copy = {path: f"/{found.slot}/{path[3:]}" for path in missing}
    copy = {path: old for path, old in copy.items() if found.has(old, content[path])}
    doomed = found.below(slot) | {path for path in found.files if path.removesuffix(WAITING) in set(in_root) - {path}}
    return Plan(
        slot=slot,
        content=content,
        send=tuple(path for path in missing if path not in copy),
        copy=tuple((old, path) for path, old in copy.items()),
        remove=tuple(sorted(path for path in doomed if path not in content or path in missing)),
        rename=rename,
        switch=not same or bool(rename),
    )


def _likeness(file: tuple[str, bytes]) -> tuple[str, int, str]:
    """The stream is the shorter, the more of a file's like is close to it: by folder, then by size."""
    path, content = file
    return path.rpartition("/")[0], len(content), path


def missing_room(found: Found, plan: Plan) -> str:
    """A sentence with figures if the set does not fit onto the board, else ""."""
    folders = {path.rpartition("/")[0] for path in plan.content} - {path.rpartition("/")[0] for path in found.files}
    new = [*plan.send, *(path for _, path in plan.copy)]
    wanted = sum(_blocks(len(plan.content[path]), found.block) for path in new)
    wanted += FOLDER_BLOCKS * len(folders) + RESERVE_BLOCKS
    free = found.free + sum(_blocks(found.files[path][0], found.block) for path in plan.remove)
    if wanted <= free or not new:
        return ""
    needed, there = (blocks * found.block // 1024 for blocks in (wanted, free))
    return f"the firmware needs {needed:,} KB of the board's flash, and {there:,} KB are free"


def _blocks(size: int, block: int) -> int:
    """Blocks that a file takes in littlefs, where each holds pointers to others too."""
    return size // (block - _POINTERS) + 1


def bring(repl: Repl, receiver: Receiver, plan: Plan, progress: Callable[[int, int], None]) -> None:
    """Have the whole set on the board, read back and right; nothing of it runs yet."""
    files = [(path, len(plan.content[path])) if path in plan.send else (path,) for path in plan.content]
    try:
        if plan.remove:
            receiver.run("remove", plan.remove)
        for at in range(0, len(plan.copy), COPY_AT_ONCE):
            receiver.run("copy", plan.copy[at : at + COPY_AT_ONCE])
        content = b"".join(plan.content[path] for path in plan.send)
        told = receiver.run("fill", files, content=content, progress=progress)
    except RemoteError as error:
        if _IS_FULL.search(error.detail):
            _give_back(repl, plan)
            raise StorageError("install-full", "the board's file system is full: its old firmware stays") from error
        raise
    digests = (hashlib.sha256(each).digest() for each in plan.content.values())
    if told != hashlib.sha256(b"".join(digests)).digest():
        raise Unverified("install-damaged", _damaged(receiver, plan))


def _give_back(repl: Repl, plan: Plan) -> None:
    """Remove what was sent, as the set that runs needs room for its data."""
    receiver = Receiver(repl)
    _, _, _, sizes = _survey(receiver, [f"/{plan.slot}", *(path + WAITING for path in plan.rename)])
    receiver.run("remove", [path for path, _ in sizes])
    receiver.stop()


def _damaged(receiver: Receiver, plan: Plan) -> str:
    """Which of the files are not what they should be."""
    _, _, _, sizes = _survey(receiver, list(plan.content))
    digests = receiver.run("digests")
    receiver.stop()
    good = {(path, digests[32 * at : 32 * at + 32]) for at, (path, _) in enumerate(sizes)}
    bad = [path for path, content in plan.content.items() if (path, hashlib.sha256(content).digest()) not in good]
    return f"the board's flash did not keep {', '.join(bad[:3]) or 'what was written'}"
