"""How long the command line takes to answer at all, beside an empty Python. DESIGN section 10."""

import subprocess
import sys

from figures import figure, times_by_turns

ADMIT = "import sys; from admit_cli.main import main; sys.argv[0] = 'admit'; sys.exit(main())"


def python(*arguments):
    return lambda: subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def main():
    empty, version, help_ = times_by_turns(
        python("-c", "pass"), python("-c", ADMIT, "--version"), python("-c", ADMIT, "--help")
    )
    return [
        figure("python -c pass", empty, unit="s"),
        figure("admit --version", version, 0.15, "s"),
        figure("admit --version / python -c pass", version / empty),
        figure("admit --help", help_, 0.3, "s"),
        figure("admit --help / python -c pass", help_ / empty),
    ]
