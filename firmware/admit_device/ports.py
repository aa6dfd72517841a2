"""What a board must bring: the ports, as the device app sees them.

A board is any object with the attributes below; this page is their contract, and firmware/ports/ holds those that
exist. Every call happens on the asyncio loop, never in an interrupt: a port whose hardware interrupts must queue and
wake a task of its own.

storage     read(name) -> bytes or None          StorageError("storage-corrupt") if its checksum fails
            write(name, data)                    whole or absent, also when power fails in the middle
            put(name, data)                      as write, for little wear: after a power cut the value may also be
                                                 one of which read says "storage-corrupt"
            remove(name)                         no error if absent
            names() -> list of str
            writes: how many there have been since the start
            append(name, record)                 whole or absent; a torn tail is dropped by the next reader
            records(name) -> generator of bytes  one record in memory at a time; StorageError("storage-corrupt") at a
                                                 bad one, but for a torn tail; who stops early closes it
            Raises StorageError("storage-full") or ("storage-read-only"); then nothing has changed.
keystore    read(name), write(name, data), erase()   the same promises, for the identity alone
clock       monotonic_ms() -> int, never wraps or goes back while the device runs
            now() -> seconds since 1970 by a clock of the board's own that goes on without power, or None
entropy     random(length) -> bytes; EntropyError if its source is stuck
outputs     set(name, value), get(name); `safe` is what each has while the device is off
            "code": digits to be shown to whoever stands there, "" for none; "asker": who asked for them
            "visitor": whose turn it is, "" for nobody; "newcomer": "asks" or "". Names are for a screen alone
            get("button"): milliseconds since it was last pressed, None if it never was or is not there
board       name, board_id (its chip's, bytes), reset_cause (a word), faults (list of texts: what is wrong with it)
            test_only: there is no hardware source of randomness, so its keys guard nothing
            vitals() -> ("a" or "b", the slot whose firmware runs, or None; bytes of storage in all; bytes free)
            doing(what): remember a short text over a reset, for no wear; was_doing: what the run before said last, in
            bytes, if the watchdog ended it, else b""
            installed() -> hash of the firmware set that runs, 32 bytes, or None
            port: "esp32" or "virtual"; updates() -> what fills and tries the other slot (ports/updates.py), and perhaps
            another image of MicroPython (ports/esp32/image.py), or None where there are no slots
            trial: how a trial stands at this start (ports/slots.py), None if there is none
            scrub(now=True): leave nothing on the flash of files that were removed, which may take minutes, or have the
            next start do so; raises nothing
            restart(repl): does not return; with `repl`, into MicroPython's REPL for one time
            and, for start.py: restarts (is `restart` any good), routines_file, test_identity,
            watch() (from now on `tend` must run), await tend() (beside the device, until it is cancelled)
links       (radio, cable, udp, each one a "link server")
            kind: "ble", "serial" or "udp"; max_links: how many peers at once
            await start(listener, name); send(link, data); close(link); advertise(name)
            and calls listener.opened(link, mtu), .received(link, data), .confirmed(link), .closed(link)
            `link` is a small int of the port's choice, unique while open. ble carries GATT values (one send
            outstanding until confirmed); serial and udp carry CoAP datagrams and open a link at a peer's first one.
"""
