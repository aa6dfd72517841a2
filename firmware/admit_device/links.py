"""Links: from a port's bytes to CoAP messages and back, with the limits that keep one peer from shutting out others.

A radio link that says nothing valid for _SILENT_MS, or proves nothing within _STRANGER_MS, is dropped; when all places
on the air are taken the oldest link without a proven peer goes. Datagrams know no end of a link, so there the port lets
go of whoever has been silent longest. What a message means is resources.py's to say.
"""

from admit_device.faults import print_exception, totals
from admit_device.ondemand import OnDemand
from admit_protocol.const import const

_SILENT_MS = const(3 * 1000)
_STRANGER_MS = const(30 * 1000)  # talk as it may: a place that proven peers leave free is for the next visitor
_IDLE_MS = const(600 * 1000)  # and for a peer over datagrams, whose link costs no place that another needs


class Link:
    """One peer on one link server, with its message layer."""

    def __init__(self, kind, number, order, layer, now_ms):
        self.kind = kind
        self.number = number
        self.order = order  # of arrival
        self.layer = layer
        self.opened_ms = self.heard_ms = now_ms
        self.proven = self.met = False  # does its peer count here; has it ended a handshake well, be it a newcomer's
        self.patience_ms = _STRANGER_MS
        self.challenge = self.sealed = None  # of a host with a sealed label: see sealed.py

    def until_ms(self):
        """When this link is dropped if it stays silent, and proves nothing."""
        if self.kind != "ble" or self.proven:
            return self.heard_ms + _IDLE_MS
        return min(self.heard_ms + _SILENT_MS, self.opened_ms + self.patience_ms)


class Listener:
    """What one link server calls; holds its links.

    `answer(link, request)` returns a response Message, or None if the answer comes later through `send`.
    `gone(link)` is told of each link that closed, `lost(link, token)` of an answer that its peer does not take.
    """

    def __init__(self, server, clock, random, answer, gone, lost, wake):
        self._server = server
        self._clock = clock
        self._random = random
        self._answer = answer
        self._gone = gone
        self._lost = lost
        self._wake = wake
        self._code = OnDemand(_gatt_layer if server.kind == "ble" else _udp_layer)
        self._links = {}
        self._opened = 0

    def opened(self, number, mtu):
        """A peer is there; `mtu` is the ATT MTU of a BLE link, and unused elsewhere."""
        self.closed(number)  # whoever had that number before
        layer = self._layer(mtu)
        self._opened += 1
        self._links[number] = Link(self._server.kind, number, self._opened, layer, self._clock.monotonic_ms())
        if self._server.kind == "ble":
            totals[2] += 1
            if len(self._links) >= self._server.max_links:
                self._make_room(number)
        self._wake()

    def received(self, number, data):
        """The peer sent one GATT value or datagram."""
        link = self._links.get(number)
        if link is None:
            return
        now_ms = self._clock.monotonic_ms()
        for message in link.layer.receive(data, now_ms):
            link.heard_ms = now_ms
            response = self._answer(link, message)
            if response is not None:
                link.layer.send(response, self._clock.monotonic_ms())
        self.flush(link)
        self._wake()

    def confirmed(self, number):
        """The peer confirmed our last indication."""
        link = self._links.get(number)
        if link is not None:
            link.layer.confirmed(self._clock.monotonic_ms())
            self.flush(link)

    def closed(self, number):
        """The peer is gone."""
        link = self._links.pop(number, None)
        if link is not None:
            self._gone(link)
            self._wake()

    def send(self, link, message):
        """Send a message that is not the immediate answer to the one that just came."""
        if self._links.get(link.number) is link:
            link.layer.send(message, self._clock.monotonic_ms())
            self.flush(link)

    def flush(self, link):
        """Put on the wire what the layer has ready."""
        while True:
            data = link.layer.outgoing(self._clock.monotonic_ms())
            if data is None:
                return
            self._server.send(link.number, data)

    def expire(self):
        """Drop silent links and send what is due again."""
        now_ms = self._clock.monotonic_ms()
        for link in list(self._links.values()):
            if now_ms >= link.until_ms():
                self._drop(link)
                continue
            try:
                self.flush(link)
            except Exception as error:  # a port that fails for one link must not keep the others from their turn
                print_exception(error)
                self._drop(link)
            for token in link.layer.failed():
                self._unheard(link, token)

    def _unheard(self, link, token):
        """The peer does not take what answers `token`: a radio link is as good as lost, else that alone is over."""
        if link.kind == "ble":
            self._drop(link)
        else:
            self._lost(link, token)

    def has_links(self):
        """Is anybody there?"""
        return bool(self._links)

    def is_visited(self):
        """Is anybody on the air who has not proven who they are, and so may be about to?"""
        return self._server.kind == "ble" and any([not (link.proven or link.met) for link in self._links.values()])

    def deadline(self):
        """When `expire` has something to do, in milliseconds of the monotonic clock, or None."""
        times = []
        for link in self._links.values():
            times.append(link.until_ms())
            due_ms = link.layer.deadline()
            if due_ms is not None:
                times.append(due_ms)
        return min(times) if times else None

    def rest(self):
        """Nothing is going on: let go of what only links need, if there are none."""
        if not self._links:
            self._code.forget()

    def _layer(self, mtu):
        """A message layer for a new link."""
        if self._server.kind == "ble":
            return self._code()(True, mtu)
        return self._code()(self._ticks if self._server.kind == "serial" else self._random)

    def _ticks(self, length):
        """Numbers for a cable's message ids, which nobody can guess at from outside: so a device whose source of
        randomness is stuck can still say so.
        """
        return (self._clock.monotonic_ms() & (1 << 8 * length) - 1).to_bytes(length, "big")

    def _make_room(self, newest):
        """The last place is taken: the oldest link without a proven peer goes, so that the next visitor gets in."""
        candidates = [each for each in self._links.values() if not each.proven and each.number != newest]
        if candidates:
            totals[4] += 1
            self._drop(min(candidates, key=lambda each: each.order))

    def _drop(self, link):
        if link.kind == "ble":
            totals[3] += 1
        self.closed(link.number)
        try:
            self._server.close(link.number)
        except Exception as error:  # it is forgotten here in any case
            print_exception(error)


def _gatt_layer():
    from admit_protocol.gatt import GattLayer

    return GattLayer


def _udp_layer():
    from admit_protocol.coap_udp import UdpLayer

    return UdpLayer
