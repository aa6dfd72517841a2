"""`bluetooth` of MicroPython on an ESP32, on MicroPython's Unix port: the stand-in for tests of firmware/ports/esp32.

Written from docs/library/bluetooth.rst, extmod/modbluetooth.c, extmod/nimble/modbluetooth_nimble.c and NimBLE's host
(named below where a behaviour surprises), not from the code that it tests. It is at least as strict as the chip:

- handlers run between bytecodes; what they are handed is overwritten when they return, the tuple too;
- a handler that raises is printed and switched off for good (modbluetooth.c, invoke_irq_handler_run_protected);
- a value that a central writes is cut to the attribute's buffer, 20 bytes unless it was enlarged;
- an indication is cut to MTU - 3; one more before its confirmation is lost (the project's DESIGN section 6);
- links are numbered from 0, and a number is used again at once;
- where the world says so, a link is told of late, as ESP-IDF 5.5 does: after its MTU, and not as itself if it breaks
  before (ble_gap.c: ble_gap_rx_conn_complete, ble_gap_conn_broken);
- the host takes four links, the controller of an ESP32 three (esp32/Kconfig.in, BTDM_CTRL_BLE_MAX_CONN);
- `rxbuf` does not exist: the ESP32 has had no ring buffer since it runs handlers synchronously (mpconfigport.h).

The bytes themselves cross a real BLE stack: tests/chip_world.py holds it, at the other end of `board_wire`. Only what a
peripheral needs is here; anything else is an AttributeError.
"""

import json
import os
import sys

import board_wire
import utime
from board_gatt import FLAG_INDICATE, FLAG_NOTIFY, UUID, Table  # noqa: F401
from board_wire import tell

from micropython import const

FLAG_READ = const(0x0002)
FLAG_WRITE_NO_RESPONSE = const(0x0004)
FLAG_WRITE = const(0x0008)

_IRQ_CENTRAL_CONNECT = const(1)
_IRQ_CENTRAL_DISCONNECT = const(2)
_IRQ_GATTS_WRITE = const(3)
_IRQ_GATTS_INDICATE_DONE = const(20)
_IRQ_MTU_EXCHANGED = const(21)

# errno.h of the chip's C library (newlib), which is not Linux's; and NimBLE's own codes, which MicroPython negates.
_E2BIG, _ENOMEM, _EBUSY, _ENODEV, _EINVAL = const(7), const(12), const(16), const(19), const(22)
_EALREADY, _ENOTCONN, _ETIMEDOUT = const(120), const(128), const(116)
_HS_ENOMEM, _HS_ENOTCONN = const(6), const(7)
_INVALID_COMMAND_PARAMETERS = const(18)

_MAX_LINKS = const(4)  # CONFIG_BT_NIMBLE_MAX_CONNECTIONS, boards/sdkconfig.ble
_CONTROLLER_LINKS = 3 if (os.getenv("ADMIT_CHIP_NAME") or "esp32") == "esp32" else 9
_HCI_CONNECTION_LIMIT = const(0x209)  # BLE_HS_HCI_ERR(9); which one that controller gives is not documented
_LATE, _MUTE = const(0x100), const(0x200)  # beside a connection's address type: see chip_radio.py
_MAX_SERVICES = const(8)  # MP_BLUETOOTH_NIMBLE_MAX_SERVICES
_MAX_ADVERTISEMENT = const(31)
_MAX_GAP_NAME = const(31)
_DEFAULT_MTU, _LEAST_MTU, _MOST_MTU = const(256), const(23), const(527)  # BLE_ATT_MTU_MAX
_START_TIMEOUT_MS = const(2000)  # NIMBLE_STARTUP_TIMEOUT
_INTERVAL_UNIT_US = const(625)
_SHORTEST, _LONGEST = const(0x20), const(0x4000)  # of advertising intervals, in those units
_UNKNOWN = "unknown config param"


class _Link:
    def __init__(self, address_type, address):
        self.address_type = address_type
        self.address = address
        self.told = True
        self.mute = False
        self.mtu = _LEAST_MTU
        self.indicating = None  # handle of the indication that is not confirmed yet
        self.ending = False
        self.exchanged = False


class _Ble:
    def __init__(self):
        self._handler = None
        self._active = False
        self._gap_name = b"MPY ESP32"
        self._fault = b""
        self._forget()
        for kind, listener in (
            (b"e", self._on_radio),
            (b"c", self._on_connected),
            (b"t", self._on_told),
            (b"x", self._on_disconnected),
            (b"m", self._on_mtu),
            (b"w", self._on_written),
            (b"i", self._on_confirmed),
            (b"f", self._on_fault),
        ):
            board_wire.listen(kind, listener)

    def _forget(self):
        self._values = {}
        self._links = {}
        self._mtu = _DEFAULT_MTU
        self._advertising = False
        self._adv_data = self._resp_data = b""
        self._mac = None

    # -- BLE --

    def active(self, active=None):
        """Switch the radio on or off. On again while on: all services and links are gone (mp_bluetooth_init)."""
        if active is not None:
            self._switch_off()
            if active:
                self._switch_on()
        return self._active

    def _switch_off(self):
        if self._active:
            self._active = False  # from here on nobody hears of anything, not even of its links' ends
            tell(b"E", 0)
        self._forget()

    def _switch_on(self):
        tell(b"E", 1)
        start = utime.ticks_ms()
        while self._mac is None:
            if not board_wire.connected() or utime.ticks_diff(utime.ticks_ms(), start) > _START_TIMEOUT_MS:
                raise OSError(_ETIMEDOUT)
            utime.sleep_ms(1)
        self._active = True

    def config(self, *names, **values):
        """Get one value by name, or set some by keyword."""
        if not values:
            if len(names) != 1:
                raise TypeError("must query one param")
            return self._get_config(names[0])
        if names:
            raise TypeError("can't specify pos and kw args")
        for name, value in values.items():
            self._set_config(name, value)

    def _get_config(self, name):
        if name == "gap_name":
            return self._gap_name
        if name not in ("mac", "mtu"):
            raise ValueError(_UNKNOWN)
        self._need_active()
        return self._mtu if name == "mtu" else (0, self._mac)

    def _set_config(self, name, value):
        if name == "gap_name":
            value = _buffer(value)
            if len(value) > _MAX_GAP_NAME:
                raise OSError(_EINVAL)
            self._gap_name = value
        elif name == "mtu":
            self._need_active()
            if not _LEAST_MTU <= value <= _MOST_MTU:
                raise OSError(_EINVAL)
            self._mtu = value
            tell(b"M", value)
        elif name == "addr_mode":
            self._need_active()
        elif name not in ("bond", "mitm", "io", "le_secure"):
            raise ValueError(_UNKNOWN)

    def irq(self, handler):
        """Call `handler(event, data)` from now on; None: nobody hears of events."""
        if handler is not None and not callable(handler):
            raise ValueError("invalid handler")
        self._handler = handler

    # -- GAP --

    def gap_advertise(self, interval_us=500000, adv_data=None, *, resp_data=None, connectable=True):
        """Advertise; None as interval: stop. Data that is None stays what it was. What fails leaves it stopped."""
        if interval_us is None:
            self._stop_advertising()
            return
        self._need_active()
        self._stop_advertising()
        self._adv_data = self._advertisement(adv_data, self._adv_data)
        self._resp_data = self._advertisement(resp_data, self._resp_data)
        units = interval_us // _INTERVAL_UNIT_US
        if units and not _SHORTEST <= units <= _LONGEST:
            raise OSError(_EINVAL)
        if connectable and len(self._links) >= _MAX_LINKS:
            raise OSError(_ENOMEM)  # ble_gap_adv_start: no connection could be allocated
        if connectable and len(self._links) >= _CONTROLLER_LINKS:
            raise OSError(-_HCI_CONNECTION_LIMIT)
        self._advertising = True
        tell(b"A", units, 1 if connectable else 0, bytes((len(self._adv_data),)) + self._adv_data + self._resp_data)

    def _stop_advertising(self):
        if self._advertising:
            self._advertising = False
            tell(b"S")

    def _advertisement(self, data, before):
        if data is None:
            return before
        data = _buffer(data)
        if len(data) > _MAX_ADVERTISEMENT:
            raise OSError(-_INVALID_COMMAND_PARAMETERS)  # ble_gap_adv_set_data; not one of MicroPython's own numbers
        return data

    def gap_disconnect(self, conn_handle):
        """Ask for a link's end: True, and the event follows. False if there is no such link."""
        self._need_active()
        link = self._links.get(conn_handle)
        if link is None:
            return False
        if link.ending:
            raise OSError(_EALREADY)  # ble_gap_terminate
        link.ending = True
        tell(b"D", conn_handle)
        return True

    # -- GATT server --

    def gatts_register_services(self, services):
        """Replace all services; a tuple of handles for each. Not while advertising or connected (ble_gatts_mutable)."""
        self._need_active()
        if self._advertising or self._links:
            raise OSError(_EBUSY)
        if len(services) > _MAX_SERVICES:
            raise OSError(_E2BIG)
        self._values = {}
        table = Table(self._values)
        handles = tuple(table.service(uuid, characteristics) for uuid, characteristics in services)
        tell(b"R", 0, 0, json.dumps(table.told).encode())
        return handles

    def gatts_read(self, value_handle):
        """The value that the program or a central wrote last; b"" where there is none: its error is not looked at."""
        return self._values[value_handle].read() if value_handle in self._values else b""

    def gatts_write(self, value_handle, data, send_update=False):
        """Write a value; `send_update`: to subscribers too, which is not here, since nobody can tell who they are."""
        if send_update:
            raise NotImplementedError
        data = _buffer(data)
        value = self._value(value_handle)
        value.write(data)
        tell(b"V", 0, value_handle, value.data)
        return len(data)

    def gatts_set_buffer(self, value_handle, len, append=False):
        """Give a value's buffer another size. It is empty afterwards."""
        value = self._value(value_handle)
        value.size, value.append, value.data = len, bool(append), b""

    def gatts_notify(self, conn_handle, value_handle, data=None):
        """Notify, whether the central subscribed or not."""
        tell(b"N", conn_handle, value_handle, self._outgoing(conn_handle, value_handle, data))

    def gatts_indicate(self, conn_handle, value_handle, data=None):
        """Indicate, whether the central subscribed or not. Without `data`: the attribute's value."""
        data = self._outgoing(conn_handle, value_handle, data)
        link = self._links[conn_handle]
        if link.indicating is None:
            link.indicating = value_handle
            tell(b"I", conn_handle, value_handle, data)

    def gattc_exchange_mtu(self, conn_handle):
        """Ask a central for another MTU than 23, if it has not asked yet."""
        self._need_active()
        link = self._links.get(conn_handle)
        if link is None:
            raise OSError(_ENOTCONN)
        if link.exchanged:
            raise OSError(_EALREADY)  # ble_att_clt_tx_mtu: once a link, whoever begins
        link.exchanged = True
        tell(b"Y", conn_handle, self._mtu)

    def _outgoing(self, conn_handle, value_handle, data):
        self._need_active()
        data = self._value(value_handle).data if data is None else _buffer(data)
        link = self._links.get(conn_handle)
        if link is None:
            raise OSError(_ENOTCONN)
        if self._fault == b"mbufs":
            self._fault = b""
            self._event(_IRQ_GATTS_INDICATE_DONE, conn_handle, value_handle, _HS_ENOMEM)  # this one, and the error too
            raise OSError(_ENOMEM)
        return data[: link.mtu - 3]

    def _value(self, handle):
        self._need_active()
        if handle not in self._values:
            raise OSError(_EINVAL)
        return self._values[handle]

    def _need_active(self):
        if not self._active:
            raise OSError(_ENODEV)

    # -- from the radio --

    def _on_radio(self, on, _, mac):
        self._mac = mac if on else None

    def _on_fault(self, _, __, name):
        self._fault = name

    def _on_connected(self, conn_handle, address_type, address):
        if self._active:
            self._advertising = False  # until it is started again
            link = self._links[conn_handle] = _Link(address_type & 1, address)
            link.told = not address_type & (_LATE | _MUTE)
            link.mute = bool(address_type & _MUTE)
            if link.told:
                self._event(_IRQ_CENTRAL_CONNECT, conn_handle, link.address_type, address)

    def _on_told(self, conn_handle, _, __):
        link = self._links.get(conn_handle)
        if link and not link.told:
            link.told = True
            self._event(_IRQ_CENTRAL_CONNECT, conn_handle, link.address_type, link.address)

    def _on_disconnected(self, conn_handle, _, __):
        link = self._links.get(conn_handle)
        if link is None:
            return
        if link.indicating is not None:  # ble_gattc_connection_broken comes before the event of the disconnection
            self._event(_IRQ_GATTS_INDICATE_DONE, conn_handle, link.indicating, _HS_ENOTCONN)
        del self._links[conn_handle]
        if link.told:
            self._event(_IRQ_CENTRAL_DISCONNECT, conn_handle, link.address_type, link.address)
        elif not link.mute:  # as a connection that failed
            self._event(_IRQ_CENTRAL_DISCONNECT, conn_handle, 0xFF, bytes(6))

    def _on_mtu(self, conn_handle, mtu, _):
        if conn_handle in self._links:
            self._links[conn_handle].mtu = mtu
            self._links[conn_handle].exchanged = True
            self._event(_IRQ_MTU_EXCHANGED, conn_handle, mtu)

    def _on_written(self, conn_handle, value_handle, data):
        if conn_handle in self._links and value_handle in self._values:
            self._values[value_handle].written(data)
            self._event(_IRQ_GATTS_WRITE, conn_handle, value_handle)

    def _on_confirmed(self, conn_handle, value_handle, status):
        link = self._links.get(conn_handle)
        if link and link.indicating is not None:
            link.indicating = None
            self._event(_IRQ_GATTS_INDICATE_DONE, conn_handle, value_handle, status[0])

    def _event(self, event, *fields):
        if self._handler is None:
            return
        buffers = [bytearray(field) for field in fields if isinstance(field, bytes)]
        data = [field for field in fields if not isinstance(field, bytes)] + [memoryview(each) for each in buffers]
        try:
            self._handler(event, data)
        except Exception as error:
            print("Unhandled exception in IRQ callback handler")
            sys.print_exception(error)
            self._handler = None
        data.clear()
        for each in buffers:
            each[:] = b"\xee" * len(each)


def _buffer(data):
    """The bytes of a buffer; text is one, too."""
    return data.encode() if isinstance(data, str) else bytes(memoryview(data))


_ble = _Ble()


def BLE():
    """The one radio."""
    return _ble
