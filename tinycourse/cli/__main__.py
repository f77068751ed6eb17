"""`python -m tinycourse.cli`: the command line without its script."""

import sys

from tinycourse.cli.command_line import main

sys.exit(main())
