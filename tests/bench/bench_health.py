"""Health of a thousand devices into SQLite, beside plain inserts of the same rows: what keeping it costs."""

import sqlite3
import tempfile
from pathlib import Path

from figures import figure, times_by_turns

from admit import health
from admit.registry import create_registry
from samples_of_health import NOW, encoded

DEVICES = 1000
_TABLE = "CREATE TABLE health (id INTEGER PRIMARY KEY, device_id TEXT, at INTEGER, data BLOB, reason TEXT)"
_INSERT = "INSERT INTO health (device_id, at, data, reason) VALUES (?, ?, ?, ?)"


def main():
    with tempfile.TemporaryDirectory() as folder:
        registry, plain = create_registry(f"sqlite:///{folder}/registry.sqlite"), _plain(Path(folder) / "plain.sqlite")
        told = [(f"kiosk-{number}", NOW, encoded(boots=number), None) for number in range(DEVICES)]

        def keep():
            registry.add_health(told)

        def read_and_keep():
            for _, _, data, _ in told:
                health.parse(data)
            keep()

        def insert():
            with plain:
                plain.executemany(_INSERT, told)

        whole_s, keep_s, insert_s = times_by_turns(read_and_keep, keep, insert, rounds=7)
        registry.close()
        plain.close()
    return [
        figure("records into the registry in a second, read strictly before", DEVICES / whole_s, unit="/s"),
        figure("time of keeping 1,000, against plain inserts", keep_s / insert_s, 4.0, "times"),
        figure("time of reading and keeping 1,000, against plain inserts", whole_s / insert_s, 25.0, "times"),
        figure("bytes that one record has", len(told[-1][2]), 512, "B"),
    ]


def _plain(path):
    made = sqlite3.connect(path)
    made.execute(_TABLE)
    made.execute("CREATE INDEX ix ON health (device_id, at)")
    return made
