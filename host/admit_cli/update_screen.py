"""The screen of an update: a line for each device under way, with its step and bar, and above them what is done.

Off a terminal a line is said for each stage and for each device that is done or is not, and nothing else.
"""

from collections.abc import Callable

from admit.device_release import Running
from admit_cli.hints import cause
from admit_cli.rows import Rows


class UpdateScreen(Rows):
    """What a rollout tells: the Floor of admit.rollouts; and for each device a Watcher of admit.updating.

    `name(running)`: what people call what runs on a device.
    """

    def __init__(self, name: Callable[[Running], str]):
        self._name = name
        super().__init__()

    def stage(self, number: int, of: int, target: int) -> None:
        """A stage begins."""
        if of > 1:
            self.tell(f"Stage {number} of {of}: until {target} {'run' if target > 1 else 'runs'} it")

    def ended(self, device_id: str, state: str, outcome, error) -> None:
        """A device is where it will be for now."""
        if device_id in self._rows:
            self._rows.pop(device_id).drop()
        if error:
            self.tell(f"{device_id}  {state}  {cause(error)}")
        elif outcome.sent:
            ran, runs = self._name(outcome.ran), self._name(outcome.runs)
            self.tell(f"{device_id}  {state}  {ran} -> {runs}  {outcome.moved:,} bytes")
        else:
            self.tell(f"{device_id}  {state}  it runs {self._name(outcome.runs)} already")
