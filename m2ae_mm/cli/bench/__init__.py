"""What `tools/benchmark.py` measures, and how."""
