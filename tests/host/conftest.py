import pytest

from sites import new_site, passphrase


@pytest.fixture(autouse=True)
def nobody_at_home(tmp_path, monkeypatch):
    """No setting of whoever runs the tests counts in them."""
    for name in ("ADMIT_SITE", "ADMIT_REGISTRY", "ADMIT_TZ", "ADMIT_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home/data"))


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
