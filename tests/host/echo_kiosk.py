"""A program for the virtual board that echoes what each link brings; runs on MicroPython and on CPython.

A value `burst N` is answered by N numbered values, each after the confirmation of the one before; `close` drops the
link; `name TEXT` advertises another name; `print TEXT` prints; `crash` ends the program; `fail` raises in the listener.
"""

import asyncio
import os
import sys

from ports.virtual.cable import Cable
from ports.virtual.radio import Radio
from ports.virtual.udp import Udp


class Echo:
    def __init__(self, server):
        self.server = server
        self.waiting = {}

    def opened(self, link, mtu):
        print(self.server.kind, "opened", link, mtu)
        self.waiting[link] = []

    def closed(self, link):
        print(self.server.kind, "closed", link)
        del self.waiting[link]

    def confirmed(self, link):
        self.waiting[link].pop(0)
        self.send_next(link)

    def received(self, link, data):
        command, _, argument = data.partition(b" ")
        if command == b"burst":
            self.answer(link, [b"%d" % number for number in range(int(argument))])
        elif command == b"close":
            self.server.close(link)
        elif command == b"name":
            self.server.advertise(argument.decode())
        elif command == b"print":
            print(argument.decode())
        elif command == b"crash":
            sys.exit(7)
        elif command == b"fail":
            raise ValueError("on purpose")
        else:
            self.answer(link, [data])

    def answer(self, link, values):
        if self.server.kind != "ble":
            for value in values:
                self.server.send(link, value)
            return
        idle = not self.waiting[link]
        self.waiting[link] += values
        if idle:
            self.send_next(link)

    def send_next(self, link):
        if self.waiting[link]:
            self.server.send(link, self.waiting[link][0])


async def main():
    for kind, variable in ((Radio, "ADMIT_RADIO_FD"), (Cable, "ADMIT_CABLE_FD"), (Udp, "ADMIT_UDP_PORT")):
        server = kind(int(os.getenv(variable)))
        await server.start(Echo(server), "echo-kiosk")
    print("status ready")
    while True:
        await asyncio.sleep(3600)


asyncio.run(main())
