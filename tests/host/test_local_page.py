"""Pages on this machine: a port that is taken, and one that is free again at the end."""

import pytest

from admit.local_page import LocalHandler, LocalServer
from admit_protocol.errors import Busy


def test_a_port_that_is_taken_is_named_and_free_again_afterwards():
    first = LocalServer(0, LocalHandler, {}, "page-port")
    with first.beside():
        with pytest.raises(Busy, match="page-port"):
            LocalServer(first.server_port, LocalHandler, {}, "page-port")
    LocalServer(first.server_port, LocalHandler, {}, "page-port").server_close()
