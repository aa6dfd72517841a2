"""Attacks on a board and on its firmware's ports: who is near it, who holds its cable, and what power and flash do.

Each test plays one attacker, or one fault that an attacker waits for, and names the error that stops it, or what must
be the same afterwards. The chip's modules are stand-ins of a few lines; what a real chip's do is tests/chip's.
"""

import asyncio
import sys

import start
from admit_device.identity import CREDENTIAL, SECRET
from admit_device.invocations import FAILED
from admit_device.routines import routine
from admit_protocol import cbor, coap, coap_numbers, slip
from admit_protocol.errors import StorageError
from memory_ports import WEDNESDAY, Links, Memory, PowerCut
from ports.cable import Cable
from rig import Phone, Rig, Site
from support import raises
from visitors import ROUTINES, SITE, Visitor, grant_of, key_of, new_kiosk, reason

REPL = cbor.encode({1: 1})
SECRET_OF_LABEL = bytes(range(16))


class Failing:
    """A call that fails `times` times, and then does `well`."""

    def __init__(self, error, well=lambda *_: None, times=1):
        self.error, self.well, self.left = error, well, times

    def __call__(self, *given):
        if self.left:
            self.left -= 1
            raise self.error
        return self.well(*given)


# Joining a site


def key_made(rig):
    """A factory rig whose key is made; PUT /identity's body for it."""
    cable = Phone(rig, server=rig.cable)
    cable.plain(coap.POST, "/identity", cbor.encode({1: bytes(32)}))
    own = rig.device.identity
    papers = {1: SITE.vouch("kiosk-1", own.key.public, own.seal_key.public), 2: SITE.anchor.encode(), 3: WEDNESDAY}
    rig.credential = papers[1]
    return papers


def test_the_cable_of_a_device_whose_joining_broke_off_half_way_opens_nothing():
    rig = Rig(ROUTINES)
    body = cbor.encode(key_made(rig))
    rig.device.profile.access = Failing(MemoryError(), rig.device.profile.access)
    with raises(MemoryError):
        Phone(rig, server=rig.cable).plain(coap.PUT, "/identity", body)
    assert rig.device.identity.state == "commissioned"
    for server in (rig.cable, rig.radio):
        for method, path, payload in ((coap.POST, "/reset", REPL), (coap.GET, "/release", b"")):
            assert Phone(rig, server=server).plain(method, path, payload).code == coap_numbers.UNAUTHORIZED
    rig.pass_s(5)
    assert rig.restarted is None
    assert Phone(rig, server=rig.cable).plain(coap.PUT, "/identity", body).code == coap.CHANGED
    assert Visitor(rig).ask(coap.GET, "/r").code == coap.CONTENT


def test_a_time_that_no_clock_can_show_is_refused_before_anything_is_kept():
    rig = Rig(ROUTINES)
    papers = key_made(rig)
    for now in (-1, 0, 1 << 40, (1 << 64) - 1):
        papers[3] = now
        refused = Phone(rig, server=rig.cable).plain(coap.PUT, "/identity", cbor.encode(papers))
        assert refused.code == coap.BAD_REQUEST, now
        assert rig.device.identity.state == "factory"


def test_what_a_device_knew_of_its_former_site_counts_nowhere_after_its_identity_was_lost():
    """The key store was erased and the storage was not: by a half-done wipe, by NVS itself, by esptool."""
    rig = new_kiosk()
    former = Visitor(rig)
    assert former.invoke("open").code == coap.CHANGED
    old_credential = rig.credential
    rig.keystore.files.clear()
    rig.boot()
    rig.commission(Site("next", b"next"), "kiosk-1")
    assert rig.credential != old_credential
    again = Phone(rig, key_of("alice"), grant_of("alice"), seed=b"again")
    assert again.start(by_value=False).code == coap.CHANGED
    refused = again.request(coap.POST, "/r/open", cbor.encode({1: b"87654321"}))
    assert refused.code == coap.BAD_REQUEST and refused.option(coap.OSCORE) is None
    assert rig.outputs.get("door") == "closed"
    assert not [name for name in rig.storage.names() if name.startswith("grant-")]
    assert rig.device.journal.count == 1  # and the next site reads nothing of what people did at the former one


def test_the_next_life_keeps_the_count_of_starts_that_keeps_nonces_apart():
    rig = new_kiosk()
    boots = rig.device.boots
    rig.keystore.files.clear()
    rig.boot()
    rig.commission(Site("next", b"next"), "kiosk-1")
    rig.boot()
    assert rig.device.boots == boots + 2


def test_a_power_cut_at_any_change_of_a_new_life_leaves_nothing_of_the_former_one_in_force():
    rig = new_kiosk()
    Visitor(rig).invoke("open")
    former = dict(rig.storage.files)
    cut, state = 0, "factory"
    while state == "factory" and cut < 20:
        rig.keystore.files, rig.storage.files = {}, dict(former)
        rig.boot()
        rig.storage.cut_after = cut
        try:
            papers = key_made(rig)
            Phone(rig, server=rig.cable).plain(coap.PUT, "/identity", cbor.encode(papers))
        except PowerCut:
            pass
        rig.storage.cut_after = None
        rig.boot()
        state = rig.device.identity.state
        kept = [name for name in rig.storage.names() if name.startswith("grant-")]
        assert rig.device.identity.key is None or not kept, cut
        cut += 1
    assert 3 < cut < 20


def test_who_is_on_the_network_does_not_pass_for_who_holds_the_cable():
    rig = Rig(ROUTINES)
    network = Links("udp", 8)
    network.listener = rig.device._listener(network)
    for method, path, payload in ((coap.POST, "/reset", REPL), (coap.GET, "/release", b"")):
        assert Phone(rig, server=network).plain(method, path, payload).code == coap_numbers.UNAUTHORIZED
    for method, body in ((coap.POST, {1: bytes(32), 2: SECRET_OF_LABEL}), (coap.PUT, key_made(rig))):
        refused = Phone(rig, server=network).plain(method, "/identity", cbor.encode(body))
        assert reason(refused) == "commissioning-cable-only"
    assert rig.device.identity.label is None and rig.device.identity.state == "factory"


# The app ends


def test_a_door_is_locked_when_the_app_ends_whatever_it_was_in_the_middle_of():
    rig = new_kiosk()
    assert Visitor(rig).invoke("open").code == coap.CHANGED
    assert rig.outputs.get("door") == "open"

    async def breaks():
        raise MemoryError()

    rig.device._pause = breaks
    with raises(MemoryError):
        asyncio.run(rig.device.run())
    assert rig.outputs.get("door") == "closed"


@routine("Leaves, as a program may.")
def leaves(kiosk):
    sys.exit(1)


@routine("Leaves later.")
async def leaves_later(kiosk):
    await asyncio.sleep(0)
    sys.exit(1)


def test_a_routine_that_leaves_by_sys_exit_does_not_take_the_device_with_it():
    rig = Rig({"leaves": leaves, "later": leaves_later}, SITE)
    alice = Visitor(rig)
    told = [alice.invoke("leaves")]

    async def waits():
        assert alice.invoke("later", b"87654321") is None
        for _ in range(20):
            await asyncio.sleep(0)
        return alice.hear()

    told += asyncio.run(waits())
    assert [cbor.decode(each.payload)[1] for each in told] == [FAILED, FAILED]
    assert alice.ask(coap.GET, "/r").code == coap.CONTENT


class Chip:
    """Stands for the modules of an ESP32: its NVS, whose values outlive it, and its reset."""

    HARD_RESET, PWRON_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 2, 1, 3, 4, 5
    TYPE_DATA = 1

    def __init__(self, identity=None):
        self.values, self.resets, self.erased = {}, 0, []
        self.erase_key_fails = 0
        if identity is not None:
            self._install()
            nvs = fresh("ports.esp32.nvs")
            nvs.write(self.NVS("admit"), "identity", identity)

    # esp32

    def NVS(self, _namespace):
        return self

    @property
    def Partition(self):
        return self

    def get_blob(self, name, buffer):
        if name not in self.values:
            raise OSError(-0x1102, "ESP_ERR")
        if len(self.values[name]) > len(buffer):
            raise OSError(-0x110C, "ESP_ERR")
        buffer[: len(self.values[name])] = self.values[name]
        return len(self.values[name])

    def set_blob(self, name, value):
        self.values[name] = bytes(value)

    def erase_key(self, name):
        if self.erase_key_fails:
            self.erase_key_fails -= 1
            raise OSError(-0x1106, "ESP_ERR")
        if name not in self.values:
            raise OSError(-0x1102, "ESP_ERR")
        del self.values[name]

    def commit(self):
        pass

    def find(self, _kind, label):
        return [self] if label == "nvs" else []

    def ioctl(self, question, block):
        if question == 4:
            return 3
        self.erased.append(block)
        self.values.clear()

    # machine

    def reset(self):
        self.resets += 1
        raise Reset()

    def _install(self):
        sys.modules["esp32"] = sys.modules["machine"] = self

    def __enter__(self):
        self._before = [(name, sys.modules.get(name)) for name in ("esp32", "machine")]
        self._install()
        return self

    def __exit__(self, *_):
        for name, module in self._before:
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module
        for name in [each for each in sys.modules if each.startswith("ports.esp32")]:
            sys.modules.pop(name)


class Reset(BaseException):
    """The chip was reset."""


def fresh(name):
    """Import a module anew, over the stand-ins of this test; the module."""
    sys.modules.pop(name, None)
    __import__(name)
    return sys.modules[name]


def starts(failure, identity):
    """Have start.main fail on a chip with this identity: (what ended it, how often the chip was reset)."""
    real = start.open_board, start._LINGER_S
    start.open_board, start._LINGER_S = Failing(failure), 0
    with Chip() as chip:
        if identity is not None:
            fresh("ports.esp32.nvs").write(chip, "identity", identity)
        try:
            start.main()
        except BaseException as error:
            return type(error), chip.resets
        finally:
            start.open_board, start._LINGER_S = real


def test_a_board_of_a_site_that_does_not_even_come_up_is_reset_and_shows_no_repl():
    """board.json is damaged, NVS is full, a pin is not there, a wipe fails, a routine left by sys.exit."""
    site = cbor.encode({SECRET: bytes(32), CREDENTIAL: b"credential"})
    for failure in (ValueError("syntax error in JSON"), StorageError("storage-failed"), MemoryError(), SystemExit()):
        assert starts(failure, site) == (Reset, 1), failure
    assert starts(KeyboardInterrupt(), b"\xff") == (Reset, 1)  # a damaged identity may be a site's


def test_a_factory_board_that_does_not_come_up_is_left_to_who_mends_it():
    for identity in (None, cbor.encode({SECRET: bytes(32)})):
        assert starts(ValueError("syntax error in JSON"), identity) == (ValueError, 0)


# The key store of a chip


def test_a_write_that_power_cut_off_before_the_old_identity_was_erased_is_finished_at_the_next_start():
    """Else damage to the new one, years later, would bring the old one back: a factory board, with its sealed label."""
    with Chip() as chip:
        nvs = fresh("ports.esp32.nvs")
        nvs.write(chip, "identity", b"factory, labelled")
        chip.erase_key_fails = 1
        nvs.write(chip, "identity", b"of a site")
        assert len(chip.values) == 2
        assert nvs.read(chip, "identity") == b"of a site"
        assert len(chip.values) == 1 and b"labelled" not in b"".join(chip.values.values())
        (place,) = chip.values
        chip.values[place] = chip.values[place][:-1] + b"?"
        with raises(StorageError, "storage-corrupt"):
            nvs.read(chip, "identity")


def test_an_old_value_that_nvs_does_not_let_go_does_not_make_a_new_one_look_refused():
    with Chip() as chip:
        nvs = fresh("ports.esp32.nvs")
        nvs.write(chip, "identity", b"of a site")
        chip.erase_key_fails = 1
        nvs.write(chip, "identity", b"of another")  # it counts: who called must not go on as the old site's
        assert nvs.read(chip, "identity") == b"of another"  # and lets the old one go
        nvs.write(chip, "identity", b"of a third")
        assert nvs.read(chip, "identity") == b"of a third" and len(chip.values) == 1


def test_an_erasure_is_not_stopped_by_a_key_that_nvs_does_not_let_go():
    with Chip() as chip:
        nvs = fresh("ports.esp32.nvs")
        nvs.write(chip, "identity", b"of a site")
        chip.erase_key_fails = 2
        nvs.erase(chip)
        assert chip.erased == [0, 1, 2] and nvs.read(chip, "identity") is None


def test_a_wipe_goes_on_over_what_cannot_be_removed_and_always_ends_in_a_reset():
    with Chip() as chip:
        factory = fresh("ports.esp32.factory")
        storage, keystore = Memory(), Memory()
        for name in ("boots", "journal-a", "policy"):
            storage.write(name, b"x")
        keystore.write("identity", b"x")
        storage.remove = _but_not(storage.remove, "boots")
        with raises(Reset):
            factory.wipe(storage, keystore, lambda: None)
        assert storage.names() == ["boots"] and keystore.files == {} and chip.resets == 1


def _but_not(remove, stuck):
    def removes(name):
        if name == stuck:
            raise StorageError("storage-read-only", name)
        remove(name)

    return removes


# Who is in radio range


class Air:
    """Stands for the chip's `bluetooth`: whatever it is told is right, and it holds one written value."""

    def __init__(self):
        self.value = b"?"
        self.dropped = []

    def BLE(self):
        return self

    def UUID(self, text):
        return bytes(16)

    def active(self, on=None):
        return True

    def irq(self, handler):
        self.handler = handler

    def config(self, **_):
        pass

    def gatts_register_services(self, _):
        return ((1, 2),)

    def gatts_set_buffer(self, *_):
        pass

    def gatts_read(self, _):
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def gap_advertise(self, *_, **__):
        pass

    def gap_disconnect(self, link):
        self.dropped.append(link)
        return False

    def gattc_exchange_mtu(self, _):
        pass


class Ears:
    """A listener that notes what it is told, and then does as a test wants."""

    def __init__(self):
        self.heard = []
        self.then = {}

    def _note(self, what, *given):
        self.heard.append((what,) + given)
        if what in self.then:
            self.then[what](*given)

    def opened(self, link, mtu):
        self._note("opened", link)

    def received(self, link, data):
        self._note("received", link)

    def confirmed(self, link):
        self._note("confirmed", link)

    def closed(self, link):
        self._note("closed", link)


CONNECT, DISCONNECT, WRITE = 1, 2, 3


class Flag:
    """MicroPython's ThreadSafeFlag, where there is none."""

    def __init__(self):
        self._event = asyncio.Event()

    def set(self):
        self._event.set()

    async def wait(self):
        await self._event.wait()
        self._event.clear()


async def _sleep_ms(milliseconds):
    await asyncio.sleep(milliseconds / 1000)


def on_air(story):
    """Run `story(air, ears)` beside the real radio port."""
    if not hasattr(asyncio, "ThreadSafeFlag"):
        asyncio.ThreadSafeFlag, asyncio.sleep_ms = Flag, _sleep_ms
    air, ears = Air(), Ears()
    before = sys.modules.get("bluetooth")
    sys.modules["bluetooth"] = air
    try:
        radio = fresh("ports.esp32.radio").Radio()

        async def run():
            await radio.start(ears, "kiosk-1")
            try:
                return await story(air, ears)
            finally:
                radio._task.cancel()

        return asyncio.run(run())
    finally:
        sys.modules.pop("ports.esp32.radio")
        sys.modules.pop("bluetooth")
        if before:
            sys.modules["bluetooth"] = before


async def until(condition):
    for _ in range(200):
        if condition():
            return True
        await asyncio.sleep(0.001)
    return False


def test_a_neighbour_who_never_stops_writing_does_not_keep_the_watchdog_unfed():
    """Each value makes work, and while it is done another one arrives: the rest of the board gets its turns."""

    async def story(air, ears):
        left, turns = [400], []

        def another(link):
            if left[0]:
                left[0] -= 1
                air.handler(WRITE, (link, 1))

        ears.then["received"] = lambda link: another(link)
        air.handler(CONNECT, (0, 0, b""))
        air.handler(WRITE, (0, 1))
        while left[0]:
            turns.append(left[0])
            await asyncio.sleep(0)
        return turns

    assert len(on_air(story)) > 50


def test_who_writes_faster_than_the_board_reads_is_dropped_in_the_middle_of_it():
    async def story(air, ears):
        left = [100]

        def more(link):
            left[0] -= 1
            for _ in range(12 if left[0] > 0 else 0):
                air.handler(WRITE, (link, 1))

        ears.then["received"] = lambda link: more(link)
        air.handler(CONNECT, (0, 0, b""))
        air.handler(WRITE, (0, 1))
        assert await until(lambda: ("closed", 0) in ears.heard)
        return ears.heard.index(("closed", 0))

    assert on_air(story) < 12


def test_a_radio_whose_memory_runs_out_while_it_drops_a_link_serves_the_next_visitor():
    async def story(air, ears):
        ears.then["closed"] = Failing(MemoryError())
        air.handler(CONNECT, (0, 0, b""))
        air.handler(WRITE, (0, 1))
        assert await until(lambda: ("received", 0) in ears.heard)
        air.value = MemoryError()
        air.handler(WRITE, (0, 1))
        assert await until(lambda: ("closed", 0) in ears.heard)
        air.value = b"again"
        air.handler(CONNECT, (1, 0, b""))
        air.handler(WRITE, (1, 1))
        return await until(lambda: ("received", 1) in ears.heard)

    assert on_air(story)


# Who is at the cable


def test_a_cable_whose_frame_finds_no_memory_still_carries_the_next_one():
    cable, ears = Cable(), Ears()
    cable._listener, cable._write = ears, lambda data: None
    feed = cable._decoder.feed
    cable._decoder.feed = Failing(MemoryError(), feed)
    cable._feed(slip.encode_coap(b"first"))
    cable._feed(slip.encode_coap(b"second"))
    assert ears.heard == [("opened", 1), ("received", 1)]


def test_a_fault_that_there_is_no_memory_to_tell_of_is_not_a_second_one():
    from admit_device import faults as app
    from ports import faults as port

    for module in (app, port):
        real = module.io if hasattr(module, "io") else None
        if real is None:
            continue  # CPython prints by itself
        module.io = NoMemory
        try:
            module.print_exception(MemoryError())
        finally:
            module.io = real


class NoMemory:
    """io, on a full heap."""

    @staticmethod
    def StringIO():
        raise MemoryError()
