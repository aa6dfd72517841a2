"""The kiosk as a routine sees it: outputs that are told of, things done later, and a rest that is safe."""

from admit_device import kiosk as module
from admit_device.kiosk import Kiosk
from admit_device.routines import output
from memory_ports import HandClock, Outputs


class Scene:
    """A kiosk on ports of memory; `told` is what the device heard of changes, with the value there and then."""

    def __init__(self):
        self.outputs, self.clock, self.told = Outputs(), HandClock(), []
        self.kiosk = Kiosk(self.outputs, self.clock, lambda name: self.told.append((name, self.outputs.get(name))))

    def pass_s(self, seconds):
        self.clock.pass_s(seconds)
        self.kiosk.expire()


def test_a_change_is_told_after_it_has_happened():
    scene = Scene()
    scene.kiosk.set("door", "open")
    scene.kiosk.set("door", "closed")
    assert scene.told == [("door", "open"), ("door", "closed")]
    assert scene.kiosk.get("door") == "closed"
    assert scene.kiosk.get("lamp") is None


def test_at_rest_every_output_has_its_safe_value():
    scene = Scene()
    door, lamp = output("door", "locks", safe="closed"), output("lamp", "goes out")
    scene.kiosk.rest({"a": door, "b": lamp})
    assert scene.outputs.values == {"door": "closed", "lamp": False}
    assert scene.told == []  # nobody may watch yet


def test_things_are_done_when_they_are_due_and_once():
    scene, done = Scene(), []
    scene.kiosk.after(5, lambda: done.append("late"))
    scene.kiosk.after(0.5, lambda: done.append("soon"))
    scene.kiosk.expire()
    assert (done, scene.kiosk.deadline()) == ([], 1500)
    scene.clock.ms = 1499
    scene.kiosk.expire()
    assert done == []
    scene.clock.ms = 1500
    scene.kiosk.expire()
    assert (done, scene.kiosk.deadline()) == (["soon"], 6000)
    scene.pass_s(60)
    scene.pass_s(60)
    assert (done, scene.kiosk.deadline()) == (["soon", "late"], None)


def test_a_thing_done_may_ask_for_the_next():
    scene, done = Scene(), []

    def blink():
        done.append(scene.clock.ms)
        if len(done) < 3:
            scene.kiosk.after(1, blink)

    scene.kiosk.after(1, blink)
    for _ in range(5):
        scene.pass_s(1)
    assert done == [2000, 3000, 4000]


def test_what_breaks_is_told_the_console_and_the_others_are_still_done():
    scene, printed = Scene(), []
    real, module.print_exception = module.print_exception, printed.append
    try:
        scene.kiosk.after(1, lambda: 1 // 0)
        scene.kiosk.after(1, lambda: scene.kiosk.set("door", "closed"))
        scene.pass_s(1)
    finally:
        module.print_exception = real
    assert [type(each) for each in printed] == [ZeroDivisionError]
    assert scene.outputs.get("door") == "closed"
    scene.pass_s(1)
    assert len(printed) == 1


def test_what_is_shown_goes_after_its_time_unless_something_else_is_shown_by_then():
    scene = Scene()
    scene.kiosk.show("code", "111111", 60)
    scene.pass_s(30)
    scene.kiosk.show("code", "222222", 60)
    scene.pass_s(30)
    assert scene.outputs.get("code") == "222222"
    scene.pass_s(30)
    assert scene.outputs.get("code") == ""
    assert scene.told == []
