"""MicroPython's `cryptolib.aes` over the `cryptography` package, for CPython, which has no AES of its own."""

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB


class aes:
    """AES under `key`: mode 1 is ECB; mode 2 is CBC, which begins with `iv`."""

    def __init__(self, key, mode, iv=None):
        self._encryptor = Cipher(AES(key), ECB() if mode == 1 else CBC(iv)).encryptor()

    def encrypt(self, data):
        """`data`, whole blocks of 16 bytes, encrypted."""
        return self._encryptor.update(data)
