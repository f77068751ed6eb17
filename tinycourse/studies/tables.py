"""The tables in `measured/`: what the scripts in benchmarks/ found out in hours, read by lessons."""

import json
from pathlib import Path

MEASURED = Path(__file__).parent / "measured"


def read(path: Path) -> dict:
    """What was measured: `command`, `data`, ... and `rows`; no rows where nothing has been measured."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"rows": []}
