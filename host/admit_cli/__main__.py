"""`python -m admit_cli` is `admit`."""

from admit_cli.main import main

main()
