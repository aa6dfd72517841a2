"""The contract in ports.py: the virtual board's ports and those of memory have every method that it names."""

from admit_device.links import Listener
from memory_ports import Dice, HandClock, Links, Memory, Outputs
from ports.virtual.board import Board
from ports.virtual.cable import Cable
from ports.virtual.clock import Clock
from ports.virtual.entropy import Entropy
from ports.virtual.keystore import Keystore
from ports.virtual.outputs import Outputs as VirtualOutputs
from ports.virtual.radio import Radio
from ports.virtual.storage import Storage
from ports.virtual.udp import Udp
from support import HERE

CONTRACT = HERE + "/../firmware/admit_device/ports.py"

PORTS = {
    "storage": (Storage, Memory),
    "keystore": (Keystore, Memory),
    "clock": (Clock, HandClock),
    "entropy": (Entropy, Dice),
    "outputs": (VirtualOutputs, Outputs),
    "board": (Board,),
    "links": (Radio, Cable, Udp, Links),
    "listener": (Listener,),
}


def named_in_contract():
    """Port → the names of the methods that the contract's page gives it: what stands before a bracket."""
    found, port = {name: set() for name in PORTS}, None
    with open(CONTRACT) as file:
        for line in file:
            first = line.split(" ")[0].strip()
            port = first if first in PORTS else port
            for word in methods_in(line) if port else ():
                owner, _, name = word.rpartition(".")
                found["listener" if owner or word[0] == "." else port].add(name)
    return found


def methods_in(line):
    """`read(name) -> bytes`, `.received(link)`, `listener.opened(link)`: read, .received, listener.opened."""
    for piece in line.split("(")[:-1]:
        at = len(piece)
        while at and (piece[at - 1].isalpha() or piece[at - 1] in "._"):
            at -= 1
        word = piece[at:]
        if word and word == word.lower():  # StorageError("storage-full") is no method
            yield word


def test_the_contract_is_found_on_its_page():
    found = named_in_contract()
    assert found["storage"] == {"read", "write", "put", "remove", "names", "append", "records"}
    assert found["keystore"] == {"read", "write", "erase"}
    assert found["clock"] == {"monotonic_ms", "now"}
    assert found["entropy"] == {"random"}
    assert found["outputs"] == {"set", "get"}
    assert found["board"] == {"vitals", "doing", "installed", "restart", "scrub", "watch", "tend", "updates"}
    assert found["links"] == {"start", "send", "close", "advertise"}
    assert found["listener"] == {"opened", "received", "confirmed", "closed"}


def test_every_port_has_what_the_contract_names():
    missing = []
    for port, names in named_in_contract().items():
        for kind in PORTS[port]:
            for name in names:
                if not callable(getattr(kind, name, None)):
                    missing.append((kind.__name__, name))
    assert missing == []


def test_every_link_server_tells_its_kind_and_how_many_peers_it_takes():
    assert [each.kind for each in (Radio, Cable, Udp)] == ["ble", "serial", "udp"]
    assert all(each.max_links >= 1 for each in (Radio, Cable, Udp))
    assert Links("ble").max_links == 4
