"""`python -m fourreal` is `4real`."""

from fourreal.cli import main

main()
