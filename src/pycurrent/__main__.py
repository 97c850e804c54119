"""`python -m pycurrent`: the command line."""

from pycurrent.cli.entry import run

if __name__ == "__main__":
    run()
