"""Runs the Edge Connector in this folder, and the updates that come for it."""

import sys
from pathlib import Path

from edge_connector import launch

sys.exit(launch.main(Path(__file__).parent))
