"""MicroPython's `cryptolib.aes`, which its WebAssembly build lacks, over the bridge."""

import bridge


class aes:
    """AES under `key`: mode 1 is ECB; mode 2 is CBC, which begins with `iv`."""

    def __init__(self, key, mode, iv=b""):
        self._key, self._mode, self._iv = key.hex(), mode, iv.hex()

    def encrypt(self, data):
        return bytes.fromhex(bridge.aes(self._key, self._mode, self._iv, data.hex()))
