"""Espressif's serial protocol, the chip's side: bytes in, bytes out.

Owns: SLIP frames, requests and their answers, of the ROM and of the stub that esptool uploads to RAM and starts. The
stub is not run: once it is started, its commands are answered as it would.
Must not know: what carries the bytes, and what happens at a reset.
"""

import struct
import zlib

FLASH_BEGIN, FLASH_DATA, FLASH_END, MEM_BEGIN, MEM_END, MEM_DATA, SYNC, WRITE_REG, READ_REG = range(2, 11)
SPI_SET_PARAMS, SPI_ATTACH, READ_SLOW, CHANGE_BAUD = 0x0B, 0x0D, 0x0E, 0x0F
DEFL_BEGIN, DEFL_DATA, DEFL_END, MD5, SECURITY_INFO = range(0x10, 0x15)
ERASE_FLASH, ERASE_REGION, READ_FLASH, RUN_USER_CODE = range(0xD0, 0xD4)

INVALID_MESSAGE, FAILED, BAD_CHECKSUM, BAD_LENGTH = 0x05, 0x06, 0x07, 0xC0
_SECURE = {SYNC, FLASH_BEGIN, FLASH_DATA, FLASH_END, DEFL_BEGIN, DEFL_DATA, DEFL_END, SPI_SET_PARAMS, SPI_ATTACH}
_SECURE |= {CHANGE_BAUD, SECURITY_INFO}  # all that is left in secure download mode
_SPI_USR = 1 << 18
_READ_FRAME = 4096


class Refused(Exception):
    """The answer is a failure with this error number."""


class Protocol:
    """The loader of a chip. `reboot()` is called when it is told to leave.

    `flashed` says whether flash was written, `halted` that the chip has just lost its loader for good.
    """

    def __init__(self, chip, flash, efuses, reboot):
        self._chip, self._flash, self._efuses, self._reboot = chip, flash, efuses, reboot
        self.flashed = False
        self.restart()

    def restart(self):
        """Begin anew, as after a reset."""
        self._buffer, self._ends, self._stub, self._reading = b"", 0, False, None
        self._registers = dict(self._chip.registers)
        self._writing, self._inflate = (0, 0), None
        self.halted = False

    def feed(self, data):
        """Bytes from the host; what the chip sends in answer."""
        self._ends += data.count(0xC0)
        *frames, self._buffer = (self._buffer + data).split(b"\xc0")
        answers = []
        for frame in frames:
            frame = frame.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
            if self._reading and len(frame) == 4:
                answers += self._more(int.from_bytes(frame, "little"))
            elif len(frame) >= 8 and frame[0] == 0:
                answers += self._answer(frame)
        return b"".join(map(_framed, answers))

    def is_meant(self, data):
        """Whether these bytes may be for a loader: the rest of a request, or the beginning of one."""
        return bool(self._buffer or self._ends % 2) or b"\xc0\0".startswith(data[:2])

    def _answer(self, frame):
        _, command, length, checksum = struct.unpack("<BBHI", frame[:8])
        body = frame[8:]
        handler = self._handler(command)
        if handler is None:
            return [self._response(0, 0, self._status(INVALID_MESSAGE))]
        if len(body) != length:
            return [self._response(command, 0, self._status(BAD_LENGTH))]
        done, locked = self._status(0), self._locked()
        try:
            answer = handler(body, checksum)
        except Refused as error:
            return [self._response(command, 0, self._status(error.args[0]))]
        if self._locked() != locked:  # the ROM looks at its eFuses after each command, and begins anew
            self.restart()
            self.halted = self._efuses.download_disabled
            return []
        value, data, after = answer if isinstance(answer, tuple) else (answer or 0, b"", [])
        first = self._response(command, value, data + done)
        return [first] * (8 if command == SYNC else 1) + after

    def _handler(self, command):
        if command >= ERASE_FLASH and not self._stub or command == SECURITY_INFO and not self._chip.chip_id:
            return None
        if self._efuses.secure_download and not self._stub and command not in _SECURE:
            return None
        return {
            SYNC: self._sync,
            READ_REG: lambda body, _: self._read(*struct.unpack("<I", body)),
            WRITE_REG: self._write_registers,
            SECURITY_INFO: lambda *_: (0, self._efuses.security_info(self._chip.chip_id), []),
            MEM_BEGIN: self._nothing,
            MEM_DATA: self._memory,
            MEM_END: self._run,
            SPI_ATTACH: self._nothing,
            SPI_SET_PARAMS: self._nothing,
            CHANGE_BAUD: self._nothing,
            FLASH_BEGIN: self._begin,
            FLASH_DATA: lambda body, checksum: self._program(_payload(body, checksum)),
            FLASH_END: self._end,
            DEFL_BEGIN: self._begin_deflated,
            DEFL_DATA: lambda body, checksum: self._program(self._inflate.decompress(_payload(body, checksum))),
            DEFL_END: self._end,
            MD5: self._md5,
            READ_SLOW: lambda body, _: (0, self._flash.read(*struct.unpack("<II", body)).ljust(64, b"\0"), []),
            ERASE_FLASH: lambda *_: self._flash.erase(0, self._flash.size),
            ERASE_REGION: lambda body, _: self._flash.erase(*struct.unpack("<II", body)),
            READ_FLASH: self._read_flash,
            RUN_USER_CODE: lambda *_: self._reboot(),
        }.get(command)

    def _locked(self):
        """What a running ROM notices; the ESP32's does so after a reset only."""
        return self._efuses.secure_download, self._efuses.download_disabled and bool(self._chip.chip_id)

    def _status(self, error):
        return bytes([bool(error), error]) + (b"" if self._stub else b"\0\0")

    @staticmethod
    def _response(command, value, data):
        return struct.pack("<BBHI", 1, command, len(data), value & 0xFFFFFFFF) + data

    def _nothing(self, _body, _checksum):
        return 0

    def _sync(self, _body, _checksum):
        return 0 if self._stub else 0x20120707

    def _memory(self, body, checksum):
        _payload(body, checksum)

    def _run(self, body, _checksum):
        _, entry = struct.unpack("<II", body)
        self._stub = bool(entry)
        return 0, b"", [b"OHAI"] * self._stub

    # Registers

    def _read(self, address):
        value = self._efuses.read(address)
        return self._registers.get(address, 0) if value is None else value

    def _write_registers(self, body, _checksum):
        for start in range(0, len(body), 16):
            address, value, mask, _ = struct.unpack("<IIII", body[start : start + 16])
            value = self._read(address) & ~mask | value & mask
            if not self._efuses.write(address, value):
                self._registers[address] = value
            if address == self._chip.spi and value & _SPI_USR:
                self._registers[address] = 0
                self._registers[self._chip.spi_w0] = self._spi(self._registers.get(self._chip.spi_usr2, 0) & 0xFF)

    def _spi(self, command):
        """What the flash chip answers to one of its own commands: RDID, and the beginning of SFDP."""
        return {0x9F: self._flash.id, 0x5A: int.from_bytes(b"SFDP", "little")}.get(command, 0)

    # Flash

    def _begin(self, body, _checksum):
        size, _, _, offset = struct.unpack("<IIII", body[:16])
        if offset + size > self._flash.size:
            raise Refused(FAILED)
        self._inflate = None
        self._writing = (offset, size)
        if size:
            self.flashed = True
            self._flash.erase(offset, size)

    def _begin_deflated(self, body, checksum):
        self._begin(body, checksum)
        self._inflate = zlib.decompressobj()

    def _program(self, data):
        offset, left = self._writing
        data = data[:left] if self._inflate else data
        try:
            self._flash.program(offset, data)
        except ValueError:
            raise Refused(FAILED) from None
        self._writing = (offset + len(data), max(left - len(data), 0))

    def _end(self, body, _checksum):
        if not int.from_bytes(body, "little") or not self._stub:
            self._reboot()

    def _md5(self, body, _checksum):
        offset, length = struct.unpack("<II", body[:8])
        digest = self._flash.md5(offset, length)
        return 0, digest.digest() if self._stub else digest.hexdigest().encode(), []

    def _read_flash(self, body, _checksum):
        offset, length, frame, window = struct.unpack("<IIII", body)
        self._reading = [offset, length, frame, window, 0]
        return 0, b"", self._more(0)

    def _more(self, acknowledged):
        """Frames of a stretch that is read, as many as may be under way; its MD5 after the last one."""
        offset, length, frame, window, sent = self._reading
        frames = []
        while sent < length and sent - acknowledged < frame * window:
            frames.append(self._flash.read(offset + sent, min(frame, length - sent)))
            sent += len(frames[-1])
        self._reading[4] = sent
        if acknowledged >= length:
            self._reading = None
            frames.append(self._flash.md5(offset, length).digest())
        return frames


def _framed(answer):
    return b"\xc0" + answer.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


def _payload(body, checksum):
    """The data of a block, if it arrived whole."""
    length = int.from_bytes(body[:4], "little")
    data, found = body[16 : 16 + length], 0xEF
    for byte in data:
        found ^= byte
    if len(data) != length or found != checksum & 0xFF:
        raise Refused(BAD_CHECKSUM)
    return data
