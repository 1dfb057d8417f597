"""``venturi bench``: measure what a model costs on this machine, and its error.

    command ─▶ sweep ─┬─▶ subjects   what is called, on real pictures, and the error
                      ├─▶ scenarios  when it is called: they know a callable and a clock
                      ├─▶ split, trace, cold   where the time goes, and the memory
                      ├─▶ peak, machine, stability   how reliable the figures are
                      └─▶ text, and JSON as runtime/BENCH.md describes it

``import venturi`` loads none of it.
"""
