"""Faults and what must happen: each row of the table is tried, counted and reported.

python -m tests.robustness           # the short counts, as the tests run them
python -m tests.robustness --full    # the full ones; writes benchmarks/results/robustness.json
"""
