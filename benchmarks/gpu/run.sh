#!/usr/bin/env bash
# Measures on one GPU, in at most 8 minutes, what only a GPU can show: docs/benchmarks-gpu.md.
#   benchmarks/gpu/run.sh                 on a machine with a GPU: results go to results/gpu/<card>
#   benchmarks/gpu/run.sh --out "$OUT"    on a lent one
#   benchmarks/gpu/run.sh --dry           a rehearsal on the CPU with the mini model
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
python=${PYTHON:-python3}
wheels=benchmarks/gpu/wheels

# Nothing is fetched while measuring; the model is in the package or has random weights.
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONUNBUFFERED=1
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"

# The wheels are for a lent machine, where a rehearsal is not what time is spent on.
if [[ " $* " != *" --dry "* ]] && compgen -G "$wheels/*.whl" >/dev/null; then
  site=$(mktemp -d)
  trap 'rm -rf "$site"' EXIT
  install=("$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --disable-pip-version-check
    --root-user-action=ignore --upgrade --target "$site")
  # One wheel that does not fit this machine must not cost the others.
  "${install[@]}" "$wheels"/*.whl || for wheel in "$wheels"/*.whl; do
    "${install[@]}" "$wheel" || echo "left out: $wheel" >&2
  done
  # Behind the tree, so that the tree's own package is the one that runs.
  export PYTHONPATH="$PYTHONPATH:$site"
fi

"$python" -m benchmarks.gpu "$@"
