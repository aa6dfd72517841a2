"""One device on its way to a release, as it answers: also one that lies, stands still, or is in somebody else's hands.

The device is a list of answers; tests/e2e/test_updates.py has real ones.
"""

import asyncio
import contextlib
import hashlib

import pytest

from admit import device_release
from admit.updating import Patience, Rollback, Update
from admit_protocol import cbor, coap
from admit_protocol.errors import AdmitError, Busy, Conflict, NotFound, Refused, TimedOut
from release_files import build

SOON = Patience(back=0.05, pause=0.0, leaves=0.0)
OLD = bytes(32)


class Device:
    """What a session's requests meet. `states`: GET /release, one after the other, the last for ever; `puts`: PUT; an
    exception is raised in its place, one that is a reach error as the link is made.
    """

    def __init__(self, made):
        self.made, self.states, self.asked, self.staged = made, [], [], {1: 0, 2: [], 3: False}
        self.puts, self.moved, self.max_payload = {}, 100, 512
        self.connection = self

    def state(self, **changed):
        body = {1: "0.1.0", 2: OLD, 3: "virtual", 4: "1.25.0", 5: 6, 6: b"id"}
        slots = {1: "a", 2: False, 3: 1, 4: 0, 5: None, 6: None, 7: None, 8: 10_000}
        names = dict(slot=1, on_trial=2, floor=3, sequence=4, staged=5, ended=6, other=7)
        slots |= {names[name]: value for name, value in changed.items() if name in names}
        return body | {2: changed.get("set_hash", OLD), 7: slots} | changed.get("body", {})

    @contextlib.asynccontextmanager
    async def reach(self):
        if isinstance(self.states[0], BaseException):
            raise self.states.pop(0) if len(self.states) > 1 else self.states[0]
        yield self

    def room_beside(self, message):
        return 200

    async def request(self, method, path, payload=b"", content_format=None, query=""):
        assert path == "/release"
        if method == coap.GET:
            return self.answer(self.states.pop(0) if len(self.states) > 1 else self.states[0])
        body = cbor.decode(payload)
        self.asked.append(body)
        if method == coap.PUT and body:
            item, offset, _, data = body
            return self.answer(self.puts.get(item, offset + len(data)), offset, len(data))
        operation = body[1] if method == coap.POST else None
        return self.answer(self.puts.get("switch") if operation in (2, 3) else self.staged)

    def answer(self, value, *about):
        value = value(*about) if callable(value) else value
        if isinstance(value, BaseException):
            raise value
        return coap.Message(coap.CONTENT, b"", (), cbor.encode(value))

    def step(self, name, words):
        pass

    def progress(self, done, total):
        assert 0 <= done <= total

    def update(self, **more):
        return asyncio.run(Update(self.reach, self.made, self, patience=SOON, **more).run())

    def count(self, operation):
        return sum(isinstance(each, dict) and each[1] == operation for each in self.asked)


@pytest.fixture
def device(site, signer):
    made = Device(build(site, signer))
    made.ours = {"set_hash": made.made.manifest.set_hash, "sequence": 1, "slot": "b"}
    made.hash = hashlib.sha256(made.made.data).digest()
    return made


def reason(call, *arguments, **more):
    with pytest.raises(AdmitError) as caught:
        call(*arguments, **more)
    return caught.value.reason


def test_an_answer_to_switch_that_was_lost_is_asked_for_again(device):
    device.puts["switch"] = TimedOut("link-dropped")
    device.states = [device.state(), device.state(staged=device.hash), device.state(**device.ours)]
    assert device.update().runs.sequence == 1
    assert device.count(2) == 2


def test_what_was_switched_after_all_is_not_switched_again(device):
    device.puts["switch"] = TimedOut("link-dropped")
    device.states = [device.state(), TimedOut("link-dropped"), device.state(**device.ours | {"on_trial": True})]
    device.states += [Refused("handshake-refused"), NotFound("ble-not-found"), device.state(**device.ours)]
    assert device.update().runs.sequence == 1
    assert device.count(2) == 1


@pytest.mark.parametrize("ended", [[1, "trial-heap"], None, [9, "trial-faults"]])
def test_a_device_that_runs_the_old_one_again_has_gone_back(device, ended):
    device.states = [device.state(), device.state(ended=ended)]
    with pytest.raises(Refused) as caught:
        device.update()
    assert caught.value.reason == "update-went-back"
    assert ("trial-heap" in caught.value.detail) == (ended == [1, "trial-heap"])


def test_an_earlier_failure_of_the_same_release_does_not_count(device):
    ended = [1, "trial-no-answer"]
    device.states = [device.state(ended=ended), device.state(**device.ours)]
    assert device.update().runs.sequence == 1


def test_somebody_elses_trial_is_waited_for_and_then_it_is_our_turn(device):
    device.states = [device.state(sequence=9, on_trial=True), device.state(ended=[9, "trial-heap"])]
    device.states += [device.state(**device.ours)]
    assert device.update().runs.sequence == 1
    assert device.count(2) == 1


def test_our_own_trial_of_an_earlier_call_is_waited_for(device):
    device.states = [device.state(**device.ours | {"on_trial": True}), device.state(ended=[1, "trial-radio"])]
    assert reason(device.update) == "update-went-back"
    assert device.count(1) == 0


def test_one_that_stays_on_trial_or_away_never_comes_back(device):
    device.states = [device.state(**device.ours | {"on_trial": True})]
    assert reason(device.update) == "update-never-back"
    device.states = [device.state(), TimedOut("link-dropped")]
    assert reason(device.update) == "update-never-back"


@pytest.mark.parametrize("error", [TimedOut("ble-connect-failed"), NotFound("ble-not-found"), Busy("session-busy")])
def test_who_was_never_reached_is_not_tried_for_long(device, error):
    device.states = [error]
    assert reason(device.update) == error.reason


def test_a_link_that_drops_without_end_is_given_up(device):
    device.states = [device.state()]
    device.staged = TimedOut("link-dropped")
    assert reason(device.update) == "link-dropped"
    assert device.count(1) == 5


@pytest.mark.parametrize(
    "refusal", [Refused("release-expired"), Conflict("release-not-staged"), Refused("storage-full")]
)
def test_what_the_device_says_against_it_ends_it(device, refusal):
    device.states, device.staged = [device.state()], refusal
    assert reason(device.update) == refusal.reason
    device.staged, device.puts["switch"] = {1: 0, 2: [], 3: False}, refusal
    assert reason(device.update) == refusal.reason


def test_a_device_that_is_switching_already_is_waited_for(device):
    device.staged = Conflict("release-on-trial")
    device.states = [device.state(staged=device.hash), device.state(**device.ours)]
    assert device.update().runs.sequence == 1


def test_a_device_that_gets_no_further_is_told_so(device):
    device.states, device.staged = [device.state()], {1: 0, 2: [[2, 0]], 3: False}
    device.puts[2] = 0
    assert reason(device.update) == "release-body"
    device.staged = {1: 5, 2: [], 3: False}
    assert reason(device.update) == "release-body"
    device.staged = {1: 0, 2: [[200, 0]], 3: False}
    assert reason(device.update) == "release-item"


@pytest.mark.parametrize(
    "answer",
    [5, {}, {1: 0, 2: [[1]], 3: False}, {1: 0, 2: [[1, -1]], 3: False}, {1: 0, 2: [[True, 0]], 3: False}]
    + [{1: True, 2: [], 3: False}, {1: 0, 2: [], 3: 0}, {1: 0, 2: [[n, 0] for n in range(301)], 3: False}],
)
def test_an_answer_in_another_form_is_none(device, answer):
    device.states, device.staged = [device.state()], answer
    assert reason(device.update) in ("release-body", "release-item")
    device.staged, device.puts[1] = {1: 0, 2: [[1, 0]], 3: False}, 1 << 20
    assert reason(device.update) == "release-body"


@pytest.mark.parametrize(
    "body",
    [{1: 5}, {2: "x"}, {5: True}, {7: []}, {7: {1: "a"}}]
    + [{7: {1: "a", 2: 0, 3: 1, 4: 0, 5: None, 6: None, 7: None, 8: 1}}]
    + [{7: {1: "a", 2: False, 3: 1, 4: 0, 5: None, 6: ["x", 1], 7: None, 8: 1}}],
)
def test_a_state_in_another_form_is_none(device, body):
    device.states = [device.state(body=body)]
    assert reason(device.update) == "release-body"


def test_a_board_without_slots_can_take_nothing(device):
    device.states = [device.state(body={7: None})]
    assert reason(device.update) == "release-no-slots"


# Who lies, and would have us stay for ever


@pytest.fixture
def device_with_much(site, signer):
    """One that lacks a file of several pieces."""
    noise = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(100))
    made = Device(build(site, signer, files={"start.mpy": noise}))
    made.states, made.staged = [made.state()], {1: 0, 2: [[1, 0]], 3: False}
    return made


def test_one_that_goes_to_and_fro_with_a_file_gets_no_further(device_with_much):
    device_with_much.puts[1] = lambda offset, length: 0 if offset else length
    assert reason(device_with_much.update) == "release-body"


@pytest.mark.parametrize("left", [-1, 241, 1 << 60])
def test_one_that_has_more_to_look_at_than_there_is_says_nothing(device, left):
    device.states, device.staged = [device.state()], {1: left, 2: [], 3: False}
    assert reason(device.update) == "release-body"
    assert device.count(1) == 1 and len(device.asked) == 1


def test_one_that_runs_it_by_one_answer_and_not_by_the_other_is_believed_neither(device):
    device.states, device.staged = [device.state()], {1: 0, 2: [], 3: True}
    assert reason(device.update) == "release-body"


def test_one_that_takes_a_piece_of_each_visit_and_forgets_it_is_given_up(device_with_much):
    device = device_with_much
    device.puts[1] = lambda offset, length: TimedOut("link-dropped") if offset else length
    assert reason(device.update) == "link-dropped"
    assert device.count(1) < 100


def test_one_that_is_on_trial_every_other_time_is_given_up(device):
    """Each time it says so it would be waited for anew."""
    trial = device.state(sequence=9, on_trial=True)
    device.states = [each for _ in range(500) for each in (trial, device.state())]
    device.staged = TimedOut("link-dropped")
    assert reason(device.update) in ("link-dropped", "update-never-back")
    assert len(device.states) > 300


def test_words_of_a_device_stand_in_one_line_and_are_bounded(device):
    told = "trial-heap\nkiosk-2  updated\x1b[2J" + "x" * 900
    device.states = [device.state(), device.state(ended=[1, told])]
    with pytest.raises(Refused) as caught:
        device.update()
    assert caught.value.detail.isprintable() and len(caught.value.detail) < 400
    device.states = [device.state(body={1: "1.4\n0" * 99}, **device.ours)]
    assert len(device.update().runs.version) <= 64


# The same files under another number


def test_what_runs_already_is_told_of_a_later_release_of_the_same_files(device):
    """It may raise the floor, and the number below which nothing is taken."""
    device.states = [device.state(**device.ours | {"sequence": 0}), device.state(**device.ours)]
    device.staged = {1: 0, 2: [], 3: True}
    outcome = device.update()
    assert (outcome.runs.sequence, outcome.sent, device.count(1), device.count(2)) == (1, 0, 1, 0)


def test_a_device_that_knows_nothing_of_that_runs_it_all_the_same(device):
    device.states = [device.state(**device.ours | {"sequence": 0})]
    device.staged = {1: 0, 2: [], 3: True}
    assert device.update().runs.sequence == 0
    assert device.count(1) == 1


# Going back


def roll_back(device):
    return asyncio.run(Rollback(device.reach, device, SOON).run())


def test_going_back_is_done_when_the_other_slot_runs(device):
    device.states = [device.state(sequence=2, other=1), device.state(slot="b", sequence=1, on_trial=True)]
    device.states += [device.state(slot="b", sequence=1)]
    outcome = roll_back(device)
    assert (outcome.ran.sequence, outcome.runs.sequence, outcome.sent) == (2, 1, 0)
    assert device.count(3) == 1


def test_going_back_may_fail_too(device):
    device.states = [device.state(sequence=2, other=1), device.state(sequence=2, ended=[1, "trial-faults"])]
    assert reason(roll_back, device) == "update-went-back"
    device.states = [device.state(other=None)]
    assert reason(roll_back, device) == "release-nothing-to-go-back-to"
    device.states = [device.state(sequence=2, other=1), TimedOut("link-dropped")]
    assert reason(roll_back, device) == "update-never-back"


def test_a_piece_never_needs_blocks(device):
    for item, length in ((1, 10), (25, 300), (200, 70_000)):
        size = device_release.piece_length(device, item, length)
        assert len(cbor.encode([item, length, length, bytes(size)])) <= device.room_beside(None)
        assert size >= 200 - 17
