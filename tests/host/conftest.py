"""A site for each test, on each kind of database where that matters, and no setting of whoever runs the tests."""

import time

import pytest

from admit import approving, enrolling
from admit.editing import editing
from memory_ports import WEDNESDAY
from postgresql import Cluster
from rotating_site import LATER, new_device
from sites import NOW, forget_settings, new_site, passphrase


@pytest.fixture(autouse=True)
def nobody_at_home(tmp_path, monkeypatch):
    forget_settings(monkeypatch, tmp_path / "home")


@pytest.fixture
def site(tmp_path):
    """A site with the user `admin`."""
    made = new_site(tmp_path / "site")
    yield made
    made.registry.close()


@pytest.fixture
def signer(site):
    """The site's authority."""
    return site.authority(passphrase)


@pytest.fixture
def say(site, signer):
    """say(granting.put_role, "operator", …): one act of the admin; its Edit. `now` is when."""

    def say(act, *arguments, now=NOW, **more):
        with editing(site, signer, now) as edit:
            act(edit, *arguments, **more)
        return edit

    return say


@pytest.fixture
def wednesday(monkeypatch):
    """It is the kiosk's Wednesday, and nobody waits between two questions."""
    monkeypatch.setattr(time, "time", lambda: float(WEDNESDAY))
    for each in (approving, enrolling):
        monkeypatch.setattr(each, "PAUSE_S", 0)


@pytest.fixture
def later(monkeypatch):
    """It is some time after the site was made: see rotating_site."""
    monkeypatch.setattr("time.time", lambda: LATER)


@pytest.fixture
def rig(site):
    """kiosk-1 of the site, in memory."""
    return new_device(site)


@pytest.fixture(scope="session")
def cluster():
    """A PostgreSQL for as long as the tests run."""
    running = Cluster()
    yield running
    running.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The URL of a database that is not there yet, or has no tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/registry.sqlite"
    return request.getfixturevalue("cluster").new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def site_anywhere(request, tmp_path):
    """A site with the user `admin`, its registry in each kind of database."""
    folder = tmp_path / "site"
    made = new_site(folder) if request.param == "sqlite" else request.getfixturevalue("cluster").site(folder)
    yield made
    made.registry.close()
