"""The virtual kiosk's link servers: radio, cable and network, each against a peer played by the test."""

import asyncio
import os
import socket

from admit_protocol import slip
from admit_protocol.errors import LocalError
from ports.virtual.cable import Cable
from ports.virtual.radio import Radio
from ports.virtual.runtime import readable
from ports.virtual.udp import Udp
from ports.virtual.wire import Wire
from support import raises


class Recorder:
    """A listener that remembers what it was told."""

    def __init__(self):
        self.events = []

    def opened(self, link, mtu):
        self.events.append(("opened", link, mtu))

    def received(self, link, data):
        self.events.append(("received", link, bytes(data)))

    def confirmed(self, link):
        self.events.append(("confirmed", link))

    def closed(self, link):
        self.events.append(("closed", link))

    async def until(self, count):
        """Wait for the event number `count` and return all of them."""
        for _ in range(400):
            if len(self.events) >= count:
                break
            await asyncio.sleep(0.005)
        return self.events


_kept = []  # near ends: a Wire owns their descriptor too, and would lose it whenever one of them is collected


class Peer:
    """The far end of a wire: a socket of the test. `fd` is the near end, for the port."""

    def __init__(self):
        with_any_port = socket.getaddrinfo("127.0.0.1", _free_port())[0][-1]
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(with_any_port)
        server.listen(1)
        self._far = socket.socket()
        self._far.connect(with_any_port)
        self._near = server.accept()[0]
        server.close()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self.fd = self._near.fileno()
        _kept.append(self._near)

    def send(self, data):
        self._far.send(data)

    async def read(self, length):
        data = b""
        while len(data) < length:
            try:
                data += self._far.recv(length - len(data))
            except OSError:  # nothing yet
                await asyncio.wait_for(_ready(self._far), 2)
        return data

    def leave(self):
        self._far.close()


async def _ready(stream):
    await readable(stream)


def _free_port():
    """A port that is free, most probably: MicroPython cannot ask which one the system chose."""
    return 20000 + int.from_bytes(os.urandom(2), "big") % 30000


def frame(kind, link, payload=b""):
    return kind + bytes((link,)) + len(payload).to_bytes(2, "big") + payload


def test_the_radio_tells_of_links_values_and_confirmations():
    async def main():
        peer, recorder = Peer(), Recorder()
        radio = Radio(peer.fd)
        await radio.start(recorder, "kiosk-1")
        assert await peer.read(11) == frame(b"A", 0, b"kiosk-1")
        peer.send(frame(b"O", 7, b"\x02\x03") + frame(b"R", 7, b"value")[:6])
        assert await recorder.until(1) == [("opened", 7, 515)]
        peer.send(frame(b"R", 7, b"value")[6:])
        assert (await recorder.until(2))[1:] == [("received", 7, b"value")]
        radio.send(7, b"answer")
        assert await peer.read(10) == frame(b"I", 7, b"answer")
        peer.send(frame(b"C", 7) + frame(b"X", 7))
        assert (await recorder.until(4))[2:] == [("confirmed", 7), ("closed", 7)]
        radio.advertise("kiosk-2")
        assert await peer.read(11) == frame(b"A", 0, b"kiosk-2")

    asyncio.run(main())


def test_the_radio_drops_a_link_on_request_and_refuses_to_speak_on_none():
    async def main():
        peer, recorder = Peer(), Recorder()
        radio = Radio(peer.fd)
        await radio.start(recorder, "k")
        await peer.read(5)
        with raises(LocalError, "radio-link-closed"):
            radio.send(1, b"x")
        radio.close(1)
        peer.send(frame(b"O", 1, b"\x00\x80"))
        await recorder.until(1)
        with raises(LocalError, "radio-too-long"):
            radio.send(1, bytes(513))
        radio.close(1)
        assert await peer.read(4) == frame(b"D", 1)
        peer.send(frame(b"X", 1) + frame(b"R", 1, b"late") + frame(b"O", 2, b"\x00\x80"))
        assert (await recorder.until(3))[1:] == [("closed", 1), ("opened", 2, 128)]

    asyncio.run(main())


def test_an_error_that_one_link_met_costs_that_link_only():
    async def main():
        peer, recorder = Peer(), Recorder()
        radio = Radio(peer.fd)

        def received(link, data):
            if data == b"poison":
                raise ValueError("on purpose: the trace above belongs to the test")
            Recorder.received(recorder, link, data)

        recorder.received = received
        await radio.start(recorder, "k")
        await peer.read(5)
        peer.send(frame(b"O", 1, b"\x00\x80") + frame(b"O", 2, b"\x00\x80") + frame(b"R", 1, b"poison"))
        peer.send(frame(b"R", 2, b"good"))
        assert (await recorder.until(3))[2:] == [("received", 2, b"good")]
        assert await peer.read(4) == frame(b"D", 1)

    asyncio.run(main())


def test_the_firmware_ends_with_whoever_runs_it():
    async def main():
        peer = Peer()
        radio = Radio(peer.fd)
        await radio.start(Recorder(), "k")
        peer.leave()
        try:
            await asyncio.wait_for(radio._task, 2)
        except SystemExit:
            return True

    try:
        assert asyncio.run(main())
    except SystemExit:  # CPython's loop lets it through at once
        pass


def test_the_cable_opens_at_the_first_datagram_and_survives_noise():
    async def main():
        peer, recorder = Peer(), Recorder()
        cable = Cable(peer.fd)
        await cable.start(recorder, "k")
        with raises(LocalError, "cable-link-closed"):
            cable.send(1, b"x")
        peer.send(b"noise\xc0" + slip.encode_diagnostic("hello"))
        datagram = b"\x40\x01\x12\x34\xc0\xdb"
        peer.send(slip.encode_coap(datagram)[:4])
        await asyncio.sleep(0.02)
        assert recorder.events == []
        peer.send(slip.encode_coap(datagram)[4:])
        assert await recorder.until(2) == [("opened", 1, 0), ("received", 1, datagram)]
        cable.send(1, datagram)
        expected = slip.encode_coap(datagram)
        assert await peer.read(len(expected)) == expected
        cable.close(1)
        cable.close(1)
        peer.send(slip.encode_coap(datagram))
        assert (await recorder.until(5))[2:] == [("closed", 1), ("opened", 1, 0), ("received", 1, datagram)]
        peer.leave()
        assert (await recorder.until(6))[5:] == [("closed", 1)]

    asyncio.run(main())


def test_a_wire_that_nobody_reads_takes_whole_messages_or_none():
    async def main():
        peer = Peer()
        wire, message, sent = Wire(peer.fd), bytes(range(100)), 0
        while wire.write(message):
            sent += 1
        assert sent * len(message) > 8192  # the most that may wait for a slow reader
        assert not wire.write(message)
        for _ in range(sent):
            assert await peer.read(len(message)) == message
        assert wire.write(b"again")
        assert await peer.read(5) == b"again"

    asyncio.run(main())


def test_udp_gives_each_peer_a_link():
    async def main():
        recorder, port = Recorder(), _free_port()
        udp = Udp(port)
        await udp.start(recorder, "k")
        address = socket.getaddrinfo("127.0.0.1", port)[0][-1]
        peers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        peers[0].sendto(b"one", address)
        assert await recorder.until(2) == [("opened", 1, 0), ("received", 1, b"one")]
        peers[1].sendto(b"two", address)
        peers[0].sendto(b"", address)
        events = (await recorder.until(5))[2:]
        assert sorted(events) == [("opened", 2, 0), ("received", 1, b""), ("received", 2, b"two")]
        udp.send(2, b"answer")
        peers[1].setblocking(False)
        await asyncio.wait_for(_ready(peers[1]), 2)
        assert peers[1].recvfrom(100)[0] == b"answer"
        udp.close(2)
        udp.close(2)
        with raises(LocalError, "udp-link-closed"):
            udp.send(2, b"x")
        peers[1].sendto(b"back", address)
        assert (await recorder.until(8))[5:] == [("closed", 2), ("opened", 3, 0), ("received", 3, b"back")]

    asyncio.run(main())


def test_udp_lets_the_longest_silent_peer_go_when_all_links_are_taken():
    async def main():
        recorder, port = Recorder(), _free_port()
        udp = Udp(port)
        await udp.start(recorder, "k")
        address = socket.getaddrinfo("127.0.0.1", port)[0][-1]
        peers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(udp.max_links + 1)]
        for count, peer in enumerate(peers[:-1]):
            peer.sendto(b"hello", address)
            await recorder.until(2 * count + 2)
        peers[0].sendto(b"still here", address)
        await recorder.until(2 * udp.max_links + 1)
        recorder.events.clear()
        peers[-1].sendto(b"new", address)
        assert await recorder.until(3) == [("closed", 2), ("opened", 9, 0), ("received", 9, b"new")]

    asyncio.run(main())
