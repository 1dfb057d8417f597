"""Faults and what must happen: each row of the table is tried, counted and reported.

python -m pytest tests/robustness           # the short counts, as in every run of the tests
python -m pytest tests/robustness --full    # the full ones, kept in benchmarks/results

``-k bits`` tries one row, ``-rA`` shows what was counted.
"""
