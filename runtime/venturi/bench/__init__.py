"""What a model costs on this machine and what it loses: ``venturi bench``.

    command ─▶ sweep ─┬─▶ subjects   what is called, on real pictures, and what it loses
                      ├─▶ scenarios  when it is called: a callable and a clock, no models
                      ├─▶ split, trace, cold   where the time goes, and the memory
                      ├─▶ peak, machine, stability   what the figures are worth
                      └─▶ text, and JSON as runtime/BENCH.md describes it

Nothing of it is loaded by ``import venturi``.
"""
