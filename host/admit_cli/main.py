"""The way in. `admit --version` is answered before anything is imported that takes time."""

import sys

from admit_cli import __version__


def main() -> None:
    """Run the command that the arguments of this process ask for, and exit with its code."""
    if sys.argv[1:] == ["--version"]:
        print(f"admit {__version__}")
        return
    from admit_cli.command import CommandLine

    CommandLine().main()


if __name__ == "__main__":
    main()
