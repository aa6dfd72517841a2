"""An ESP32's key store: the identity, in the chip's NVS.

Owns: the one handle to it. How a value lies there is nvs.py's. Must not know what the secrets are.
"""

import esp32
from admit_protocol.const import const
from ports.ondemand import forget

_NAMESPACE = const("admit")


class Keystore:
    """The identity's values: whole or absent like any other write."""

    def __init__(self):
        self._nvs = esp32.NVS(_NAMESPACE)  # never closed: MicroPython cannot

    def read(self, name):
        """Return the secret `name`, or None. StorageError("storage-corrupt") if its checksum fails."""
        from ports.esp32 import nvs

        try:
            return nvs.read(self._nvs, name)
        finally:
            forget("ports.esp32.nvs")

    def write(self, name, data):
        """Make `data` (at most 2048 bytes) the secret `name`."""
        from ports.esp32 import nvs

        try:
            nvs.write(self._nvs, name, data)
        finally:
            forget("ports.esp32.nvs")

    def erase(self):
        """Remove every secret, from the flash too. The chip must be reset afterwards."""
        from ports.esp32 import nvs

        nvs.erase(self._nvs)
