"""The wire between the stand-ins of an ESP32's modules and the test that plays the world around the chip.

Owns: the connection to 127.0.0.1:ADMIT_CHIP and its frames (tests/chip_world.py has the other end): kind (1 byte),
a (2), b (2), length (2, big-endian), payload. The chip tells first why it started and gets what outlived that (`kept`).
From then on a thread reads, as the chip's Bluetooth task does beside Python; each frame is handed over by
micropython.schedule, so between any two bytecodes of the program, and the next one is read only when that call has
returned (ports/esp32/mpconfigport.h: BLUETOOTH_USE_SYNC_EVENTS_WITH_INTERLOCK). Each one is then acknowledged, so that
the world sees how far the program is. Without ADMIT_CHIP there is no world: nothing is heard, what is told is lost.

Must not know what the frames mean.
"""

import _thread
import json
import os
import socket

import board_power
import utime

from micropython import const, schedule

_HEADER = const(7)
_STACK = const(262144)  # of the thread; Python's own exceptions need room

kept = {}  # what the world kept for this start: "nvs", "rtc", "clock", "levels"

_listeners = {}
_lock = _thread.allocate_lock()
_socket = None
_busy = False


def listen(kind, listener):
    """Call `listener(a, b, payload)` for each frame of `kind` (one byte) from now on."""
    _listeners[kind] = listener


def tell(kind, a=0, b=0, payload=b""):
    """Send a frame to the world, if there is one."""
    if _socket is not None:
        with _lock:
            _socket.write(kind + _u16(a) + _u16(b) + _u16(len(payload)) + payload)


def connected():
    """Is there a world?"""
    return _socket is not None


def restart(cause):
    """Start again, and let the world know why."""
    tell(b"X", cause)
    board_power.leave(cause)


def _u16(number):
    return number.to_bytes(2, "big")


def _read():
    while True:
        frame = _frame()
        if frame is None:
            return
        _hand_over(frame)


def _frame():
    header = _socket.read(_HEADER)
    if not header or len(header) < _HEADER:
        return None
    length = int.from_bytes(header[5:], "big")
    return header, _socket.read(length) if length else b""


def _hand_over(frame):
    global _busy
    _busy = True
    while True:
        try:
            schedule(_deliver, frame)
            break
        except RuntimeError:  # the scheduler's queue is full: the Bluetooth task waits, too
            utime.sleep_ms(1)
    while _busy:
        utime.sleep_us(100)
    tell(b"k")


def _deliver(frame):
    global _busy
    header, payload = frame
    try:
        listener = _listeners.get(header[:1])
        if listener:
            listener(int.from_bytes(header[1:3], "big"), int.from_bytes(header[3:5], "big"), payload)
    finally:
        _busy = False


def _connect(port):
    global _socket
    address = socket.getaddrinfo("127.0.0.1", port)[0][-1]
    _socket = socket.socket()
    _socket.connect(address)
    tell(b"H", board_power.cause())
    kept.update(json.loads(_frame()[1]))
    _thread.stack_size(_STACK)
    _thread.start_new_thread(_read, ())


if os.getenv("ADMIT_CHIP"):
    _connect(int(os.getenv("ADMIT_CHIP")))
