"""A site with a month of records, made up but reproducible: for the report's tests, and to look at the page.

python tests/month_of_records.py FOLDER
"""

import random
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from admit import journal_store
from admit.journal_store import Page
from admit.suite import HostSuite
from admit_protocol import journal

ZONE = ZoneInfo("Europe/Berlin")
BEGIN = int(datetime(2026, 11, 1, tzinfo=ZONE).timestamp())
NOW = int(datetime(2026, 12, 1, 9, tzinfo=ZONE).timestamp())
EVIL = "<script>alert('x')</script>"
REASONS = ("rule-outside-window", "rule-outside-window", "rule-none", "grant-revoked", "rule-lockdown", "rule-argument")


class Scribe:
    """Writes a device's journal as the device would, and keeps all heads."""

    def __init__(self, key, device_id):
        self.key, self.device_id = key, device_id
        self.records = []
        self.heads = [journal.first_head(key.public)]

    def write(self, at, kind, who, what, outcome, extra=None):
        """One record; `at` is unix seconds or None."""
        data = journal.encode_record(len(self.records), at, kind, who, what, outcome, extra or {})
        self.records.append(data)
        self.heads.append(journal.chain(self.heads[-1], data))

    def page(self, first=0, end=None):
        """A page of the records from `first` on, before `end`."""
        end = len(self.records) if end is None else end
        signed = journal.sign_head(self.key, self.device_id, end, self.heads[end], NOW)
        return Page(first, self.heads[first], self.records[first:end], signed)


def month(registry, people, devices):
    """Write a month of visits of `people` (name: key in 8 bytes, grant id) to `devices` (id: key), and collect it.

    The second device drops records before anybody collects them; the third does not know the time for a while.
    """
    dice = random.Random(11)
    for number, (device_id, key) in enumerate(devices.items()):
        scribe = Scribe(key, device_id)
        scribe.write(BEGIN - 86400, journal.COMMISSIONED, None, device_id, journal.DONE)
        scribe.write(BEGIN - 86000, journal.BOOT, None, "", journal.DONE, {journal.COUNT: 1})
        for day in range(30):
            _day(scribe, dice, BEGIN + day * 86400, people, number)
            if number == 1 and day == 11:
                journal_store.store(registry, device_id, scribe.page(), BEGIN + 12 * 86400)
                held = len(scribe.records)
        if number == 1:
            journal_store.store(registry, device_id, scribe.page(held + 60), NOW - 86400)
        elif number != 3:
            journal_store.store(registry, device_id, scribe.page(), NOW - number * 5 * 86400)


def _day(scribe, dice, midnight, people, number):
    moment = datetime.fromtimestamp(midnight, ZONE)
    names = [name for name in people if dice.random() < (0.25 if moment.weekday() > 4 else 0.8)]
    is_lost = number == 2 and 9 <= moment.day <= 10  # it was switched off, and knows only that it is not earlier
    visits = sorted((dice.triangular(6, 20, 8.5) * 3600, name) for name in names for _ in range(dice.choice((1, 1, 2))))
    for second, name in visits:
        who, grant = people[name]
        at = midnight + int(second)
        sure = {journal.FLOOR: True} if is_lost else {journal.UNCERTAIN_S: 2}
        at = midnight - 86400 * (moment.day - 9) if is_lost else at
        if dice.random() < 0.12:
            reason = dice.choice(REASONS)
            extra = {journal.REASON: reason} | ({journal.BY: grant, journal.RULE: 0} if "rule" in reason else {})
            scribe.write(at, journal.DECISION, who, "POST /r/open", journal.DENIED, extra | sure)
            continue
        scribe.write(at, journal.LOGIN, who, "", journal.DONE, sure)
        scribe.write(at + 3, journal.DECISION, who, "POST /r/open", journal.ALLOWED, {8: grant, 2: 0} | sure)
        scribe.write(at + 5, journal.INVOCATION, who, "/r/open", journal.DONE, sure)
        scribe.write(at + 30, journal.LOGOUT, who, "", journal.DONE, sure)
    if dice.random() < 0.2:
        count = {journal.COUNT: dice.randrange(1, 9)}
        scribe.write(midnight + 80000, journal.HANDSHAKES_FAILED, None, "", journal.DENIED, count)
    if moment.day in (3, 17):
        who = next(iter(people.values()))[0]
        scribe.write(midnight + 40000, journal.POLICY, who, "", journal.DONE, {journal.EPOCH: moment.day})


def suite_key():
    """A new device's key."""
    return HostSuite().generate()


def day_text(number):
    """A day of that month, as people write it."""
    return f"{datetime.fromtimestamp(BEGIN, ZONE) + timedelta(days=number - 1):%Y-%m-%d}"
