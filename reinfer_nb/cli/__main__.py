"""`python -m reinfer_nb.cli`, the same as the command `reinfer-nb`."""

import sys

from reinfer_nb.cli import main

if __name__ == "__main__":
    sys.exit(main())
