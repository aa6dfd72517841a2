"""A site's folder: where everything of a site is, and where settings come from.

Owns: the folder's layout (`site.toml`, `registry.sqlite`, `authority.pem`, `authority-ecdh.pem`, `anchor.cbor`,
`wallets/<user>/`), and the order of settings: flag, `ADMIT_*` variable, site folder, the user's config.
Rules: nothing is guessed twice; what is found nowhere has one good default.
Must not know: what is stored in the parts that it finds.
"""

import json
import os
import tomllib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import platformdirs

from admit import keyfiles
from admit.authority import Authority, finish_replacing
from admit.wallet import Wallet
from admit_protocol.anchor import Anchor
from admit_protocol.errors import LocalError, NotFound

_CONFIG = "site.toml"
_REGISTRY = "registry.sqlite"


class Site:
    """The site in `folder`. Raises NotFound site-missing."""

    def __init__(self, folder: Path):
        if not (folder / _CONFIG).is_file():
            raise NotFound("site-missing", f"no site in {folder}")
        self.folder = folder
        self._config = read_toml(folder / _CONFIG)

    def __repr__(self) -> str:
        return f"<Site in {self.folder}>"

    def setting(self, name: str, flag: str | None = None) -> str | None:
        """A setting, from the first place that has it."""
        return flag or os.environ.get(f"ADMIT_{name.upper()}") or self._config.get(name) or user_config().get(name)

    @property
    def name(self) -> str:
        """What people call the site."""
        return self.anchor.name

    @cached_property
    def anchor(self) -> Anchor:
        """The site's trust anchor."""
        finish_replacing(self.folder)
        return keyfiles.load_anchor(self.folder)

    @cached_property
    def registry(self):
        """The site's open admit.registry.Registry."""
        from admit.registry import open_registry  # SQLAlchemy, which not every command needs

        return open_registry(registry_url(self.folder, self.setting("registry")))

    def authority(self, passphrase: Callable[[], str]) -> Authority:
        """The site's authority, unlocked by `passphrase` when it first signs."""
        return Authority(self.folder, passphrase)

    def wallet(self, user: str) -> Wallet:
        """The wallet of a local user. Raises NotFound wallet-missing."""
        return Wallet(wallet_folder(self.folder, user))


def site_folder(flag: str | None = None) -> Path:
    """The folder of the site that is meant, whether or not there is one."""
    found = flag or os.environ.get("ADMIT_SITE") or user_config().get("site")
    return Path(found).expanduser() if found else Path(platformdirs.user_data_dir("admit", appauthor=False)) / "site"


def user_config() -> dict:
    """The user's own config.toml; empty if there is none."""
    file = Path(platformdirs.user_config_dir("admit", appauthor=False)) / "config.toml"
    return read_toml(file) if file.is_file() else {}


def read_toml(file: Path) -> dict:
    """The settings in a file, all of them text. Raises LocalError site-config."""
    try:
        config = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LocalError("site-config", f"{file}: {error}") from None
    for name, value in config.items():
        if not isinstance(value, str):
            raise LocalError("site-config", f"{file}: {name} must be text in quotes")
    return config


def write_config(folder: Path, config: dict[str, str]) -> None:
    """Write a new site's site.toml."""
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in config.items()]
    keyfiles.write_file(folder / _CONFIG, "".join(lines).encode(), secret=False)


def registry_url(folder: Path, setting: str | None) -> str:
    """The registry's URL: a setting without a scheme is a file in the site's folder."""
    if setting and "://" in setting:
        return setting
    return f"sqlite:///{folder / (setting or _REGISTRY)}"


def wallet_folder(folder: Path, user: str) -> Path:
    """Where a user's wallet is, under the site's folder."""
    return folder / "wallets" / user


def system_timezone() -> str:
    """The name of this machine's time zone; UTC if it has none that we can name."""
    if name := os.environ.get("TZ", "").lstrip(":"):
        return name
    _, found, name = os.path.realpath("/etc/localtime").partition("/zoneinfo/")
    return name if found else "UTC"
