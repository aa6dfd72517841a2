"""What the tests of admit_protocol and admit_device need on both runtimes, CPython and MicroPython; nothing else."""

import json

HERE = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."


class raises:
    """`with raises(Malformed, "cbor-truncated"):` passes if exactly that error leaves the block.

    The error must be of the class itself, not of a subclass; `reason` is compared when it is given. The error is
    kept in `.error` for further questions.
    """

    def __init__(self, kind, reason=None):
        self.kind = kind
        self.reason = reason
        self.error = None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        wanted = self.kind.__name__ + ("(%r)" % self.reason if self.reason else "")
        if kind is None:
            raise AssertionError("nothing was raised, expected " + wanted)
        if kind is not self.kind:
            return False
        if self.reason is not None and error.reason != self.reason:
            raise AssertionError("reason %r, expected %s" % (error.reason, wanted))
        self.error = error
        return True


def vectors(name):
    """The content of tests/vectors/`name`, a JSON file."""
    return _load(HERE + "/vectors/" + name)


def shared_vectors(name):
    """The content of ../shared/vectors/`name` beside the repository, or None where that folder does not exist."""
    try:
        return _load(HERE + "/../../shared/vectors/" + name)
    except OSError:
        return None


def _load(path):
    with open(path) as file:
        return json.load(file)
