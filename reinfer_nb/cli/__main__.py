"""`python -m reinfer_nb.cli`: what the command `reinfer-nb` runs."""

import sys

from reinfer_nb.cli import main

if __name__ == "__main__":
    sys.exit(main())
