"""``python -m convlens``."""

from convlens.cli.main import main

if __name__ == "__main__":
    main()
