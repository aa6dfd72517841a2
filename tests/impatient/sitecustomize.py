"""On the PYTHONPATH of an esptool or espefuse that a test starts: the same, in a hurry.

pyserial's client of RFC 2217 looks for answers every 50 ms, and esptool wants hundreds. espefuse reads tables of YAML
at each start, for which PyYAML has a reader in C too, several times as fast.
"""

import contextlib
import time
import types

import serial.rfc2217

quick = types.SimpleNamespace(**vars(time))
quick.sleep = lambda seconds: time.sleep(min(seconds, 0.002))
serial.rfc2217.time = quick

with contextlib.suppress(ImportError, AttributeError):
    import yaml

    yaml.SafeLoader = yaml.CSafeLoader
