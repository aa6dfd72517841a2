"""The screen of an update: a line for each device under way, with its step and bar, and above them what is done.

Off a terminal a line is said for each stage and for each device that is done or is not, and nothing else.
"""

import sys
from collections.abc import Callable
from contextlib import ExitStack

from admit.device_release import Running
from admit_cli.factory_screen import Quiet, Row, table
from admit_cli.hints import cause
from admit_cli.output import safe, say


class UpdateScreen:
    """What a rollout tells: the Floor of admit.rollouts; and for each device a Watcher of admit.updating.

    `name(running)`: what people call what runs on a device.
    """

    def __init__(self, name: Callable[[Running], str]):
        self._name = name
        self._open = ExitStack()
        self._shown = table() if sys.stderr.isatty() else None
        self._rows: dict[str, Row] = {}

    def __enter__(self) -> "UpdateScreen":
        if self._shown:
            self._open.enter_context(self._shown)
        return self

    def __exit__(self, *_) -> None:
        self._open.close()

    def watcher(self, device_id: str):
        """Who is told of a device's steps."""
        if self._shown is None:
            return Quiet()
        if device_id not in self._rows:
            self._rows[device_id] = Row(self._shown, device_id)
        return self._rows[device_id]

    def stage(self, number: int, of: int, target: int) -> None:
        """A stage begins."""
        if of > 1:
            self._say(f"Stage {number} of {of}: until {target} {'run' if target > 1 else 'runs'} it")

    def ended(self, device_id: str, state: str, outcome, error) -> None:
        """A device is where it will be for now."""
        if device_id in self._rows:
            self._rows.pop(device_id).drop()
        if error:
            self._say(f"{device_id}  {state}  {cause(error)}")
        elif outcome.sent:
            ran, runs = self._name(outcome.ran), self._name(outcome.runs)
            self._say(f"{device_id}  {state}  {ran} -> {runs}  {outcome.moved:,} bytes")
        else:
            self._say(f"{device_id}  {state}  it runs {self._name(outcome.runs)} already")

    def _say(self, text: str) -> None:
        if self._shown:
            self._shown.console.print(safe(text), markup=False, highlight=False)
        else:
            say(text)
