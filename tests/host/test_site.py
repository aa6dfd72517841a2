"""A site's folder, and where its settings come from."""

import os
from pathlib import Path

import pytest

from admit import site as sites_module
from admit.site import Site, site_folder
from admit_protocol.errors import AdmitError, LocalError


@pytest.fixture
def config(tmp_path):
    """The user's own config.toml, to be written."""
    file = Path(os.environ["XDG_CONFIG_HOME"]) / "admit/config.toml"
    file.parent.mkdir(parents=True)
    return file


def reason(call, *arguments):
    with pytest.raises(AdmitError) as caught:
        call(*arguments)
    return caught.value.reason


def test_a_new_site_has_all_its_parts(site):
    names = {"site.toml", "registry.sqlite", "authority.pem", "authority-ecdh.pem", "anchor.cbor", "wallets"}
    assert {file.name for file in site.folder.iterdir()} == names
    assert site.folder.stat().st_mode & 0o777 == 0o700
    assert site.name == "Test site"
    assert repr(site) == f"<Site in {site.folder}>"


def test_a_folder_without_a_site_is_said_to_be_one(tmp_path):
    assert reason(Site, tmp_path) == "site-missing"


def test_the_folder_comes_from_the_flag_then_the_variable_then_the_config(tmp_path, monkeypatch, config):
    assert site_folder() == Path(os.environ["XDG_DATA_HOME"]) / "admit/site"
    config.write_text('site = "/from/config"\n')
    assert site_folder() == Path("/from/config")
    monkeypatch.setenv("ADMIT_SITE", "~/from-variable")
    assert site_folder() == Path(os.environ["HOME"]) / "from-variable"
    assert site_folder("/from/flag") == Path("/from/flag")


def test_a_setting_comes_from_the_first_place_that_has_it(site, monkeypatch, config):
    config.write_text('tz = "from config"\nelse = "only there"\n')
    assert site.setting("else") == "only there"
    assert site.setting("nowhere") is None
    assert site.setting("tz") == "Europe/Berlin"
    monkeypatch.setenv("ADMIT_TZ", "from variable")
    assert site.setting("tz") == "from variable"
    assert site.setting("tz", "from flag") == "from flag"


@pytest.mark.parametrize("text", ["tz = 1", "tz", "[tz]", 'tz = "\xff'])
def test_a_bad_config_is_named(config, text):
    config.write_bytes(text.encode("latin-1"))
    with pytest.raises(LocalError) as caught:
        site_folder()
    assert caught.value.reason == "site-config"
    assert str(config) in caught.value.detail


def test_the_registry_is_a_file_in_the_folder_unless_it_has_a_url(tmp_path):
    url = sites_module.registry_url
    assert url(tmp_path, None) == f"sqlite:///{tmp_path}/registry.sqlite"
    assert url(tmp_path, "other.sqlite") == f"sqlite:///{tmp_path}/other.sqlite"
    assert url(tmp_path, "/else/where.sqlite") == "sqlite:////else/where.sqlite"
    assert url(tmp_path, "postgresql://host/admit") == "postgresql://host/admit"


def test_a_config_is_written_as_it_is_read(tmp_path):
    config = {"tz": "Europe/Berlin", "registry": 'a "quoted" \\ ü\n'}
    sites_module.write_config(tmp_path, config)
    assert sites_module.read_toml(tmp_path / "site.toml") == config


def test_this_machines_zone_has_a_name(monkeypatch):
    monkeypatch.setenv("TZ", ":Asia/Tokyo")
    assert sites_module.system_timezone() == "Asia/Tokyo"
    monkeypatch.delenv("TZ")
    monkeypatch.setattr(os.path, "realpath", lambda _: "/usr/share/zoneinfo/America/New_York")
    assert sites_module.system_timezone() == "America/New_York"
    monkeypatch.setattr(os.path, "realpath", lambda path: path)
    assert sites_module.system_timezone() == "UTC"
