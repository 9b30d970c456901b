"""`python -m parties` is the program `greenlane`."""

from parties.cli import program

if __name__ == "__main__":
    program()
