"""`bert-multilabel`, also `python -m pipeline`."""

from cli.main import main

if __name__ == "__main__":
    main()
