"""A site for each test, and no setting of whoever runs the tests."""

import pytest

from sites import forget_settings, new_site, passphrase


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
