"""`python -m backend` is the command `yipan`: how a process of ours starts another."""

from backend.cli import main

main()
