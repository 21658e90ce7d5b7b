"""`python -m projections.audit`: the auditor's tool from a checkout, without anything installed."""

import sys

from projections.audit.cli import main

sys.exit(main())
