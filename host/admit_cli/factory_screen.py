"""The factory's screen: a line for each port with its board's step and bar, and above them what is done.

Off a terminal a line is said for each board that is done or has failed, and nothing else.
"""

from admit_cli.rows import Rows


class FactoryScreen(Rows):
    """What the factory tells: the Floor of admit_provisioning.factory."""

    def __init__(self, wanted: int | None):
        self._wanted = wanted
        self._made = 0
        super().__init__()

    def short(self, name: str) -> str:
        """A port without the folder of devices."""
        return name.removeprefix("/dev/")

    def ended(self, result) -> None:
        """A board is done, or has failed."""
        made = result.outcome in ("provisioned", "installed")
        self._made += made
        told = f"{result.device_id or result.board_id or '-'}  {result.outcome}  {self.short(result.port)}"
        if result.reason:
            told += f"  {result.detail or result.reason} ({result.reason})"
        if made:
            of = f" of {self._wanted}" if self._wanted else ""
            told += f"  {sum(result.seconds.values()):.1f} s  [{self._made}{of}]"
        self.tell(told)

    def waiting(self, port: str) -> None:
        """The port wants another board."""
        if port in self._rows:
            self._rows[port].rest("plug in the next board")
