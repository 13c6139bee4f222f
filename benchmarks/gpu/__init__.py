"""What only a GPU can show, measured in minutes: `benchmarks/gpu/run.sh` (docs/benchmarks-gpu.md).

A step is a module `step_*` with a function `run(book)`. `plan.py` lists the steps with their time limits,
`runner.py` gives each its own process, `report.py` is what comes out of it, `figures.py` puts its figures
into README.md and docs/.
"""
