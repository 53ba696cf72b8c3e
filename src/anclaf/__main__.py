"""`python -m anclaf` is the command `anclaf`."""

from anclaf.cli.main import entry

if __name__ == "__main__":
    entry()
