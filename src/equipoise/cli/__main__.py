"""`python -m equipoise.cli`: the command without its script."""

from equipoise.cli.main import main

if __name__ == "__main__":
    main()
