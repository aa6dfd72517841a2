"""Standing GETs: who is told of what, and who no longer."""

from admit_device.observers import Observers


class Call:
    """A standing GET of `session` over `link`, which watches the door."""

    def __init__(self, link, session, token):
        self.link, self.session, self.token, self.request = link, session, token, self

    def watches(self, name):
        return name == "door"

    def is_like(self, other):
        return self.link is other.link and self.session is other.session and self.token == other.token


def told_of(observers, told, name):
    told.clear()
    observers.output_changed(name)
    return [call.token for call in told]


def watching(*calls, stands=True):
    told = []

    def notify(call, whole, count):
        told.append(call)
        return stands

    observers = Observers(notify)
    for call in calls:
        observers.add(call, None)
    return observers, told


def test_those_who_watch_an_output_are_told_of_it_alone():
    observers, told = watching(Call("a", 1, b"1"), Call("b", 2, b"2"))
    assert told_of(observers, told, "lamp") == []
    assert told_of(observers, told, "door") == [b"1", b"2"]


def test_a_session_that_watches_too_much_gives_up_its_oldest_and_nobody_elses():
    observers, told = watching(Call("b", 2, b"other"), *[Call("a", 1, bytes([n])) for n in range(3)])
    assert told_of(observers, told, "door") == [b"other", b"\x01", b"\x02"]


def test_who_is_gone_refuses_or_asks_anew_is_not_told_any_more():
    calls = [Call("a", 1, b"1"), Call("b", 2, b"2"), Call("c", 3, b"3"), Call("d", 4, b"4")]
    observers, told = watching(*calls)
    observers.forget("a")
    observers.forget(2)
    observers.not_taken("c", b"3")
    observers.not_taken("d", b"another token")
    assert told_of(observers, told, "door") == [b"4"]
    observers.remove(calls[3])
    assert not observers.is_busy()


def test_who_may_not_read_any_more_is_told_so_once():
    observers, told = watching(Call("a", 1, b"1"), stands=False)
    assert told_of(observers, told, "door") == [b"1"] and told_of(observers, told, "door") == []


def test_an_observer_whose_link_is_broken_harms_nobody():
    def notify(call, whole, count):
        raise OSError(5)

    observers = Observers(notify)
    observers.add(Call("a", 1, b"1"), None)
    observers.output_changed("door")
    assert not observers.is_busy()
