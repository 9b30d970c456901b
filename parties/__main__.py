"""`python -m parties` is the program `greenlane`."""

from parties.cli import main

if __name__ == "__main__":
    main()
