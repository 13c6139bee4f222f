#!/usr/bin/env bash
# Fetches the packages that a lent GPU machine lacks (Python 3.12, x86-64, no network) into benchmarks/gpu/wheels,
# an ignored folder that travels with the tree; `run.sh` installs them there. Needs a network: run it beforehand.
#   benchmarks/gpu/wheels.sh               all
#   benchmarks/gpu/wheels.sh --without-av  35 MB less; then no step decodes video, and the report says so
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=benchmarks/gpu/wheels
limit_mb=60
tree_limit=$((64 * 1024 * 1024)) # what may travel to a lent machine, the tree included

# With all that each of them needs and that machine lacks; constraints.txt names the versions.
packages=(pydantic pydantic-core annotated-types typing-inspection typing-extensions
  rich markdown-it-py mdurl pygments)
pinned=()
for name in "${packages[@]}"; do
  version=$(sed -nE "s/^$name==([^ ;]+)( ; python_full_version >= '3\.1[12]'.*)?$/\1/p" constraints.txt | tail -1)
  pinned+=("$name==${version:?"constraints.txt pins no $name for Python 3.12"}")
done
# Newer than constraints.txt's: 4 MB smaller, which decides whether the tree and the wheels may travel together.
[ "${1:-}" = --without-av ] || pinned+=(av==18.1.0)

rm -rf "$folder"
mkdir -p "$folder"
"${PYTHON:-python3}" -m pip download -q --no-deps --only-binary=:all: --disable-pip-version-check \
  --python-version 3.12 --implementation cp --abi cp312 --abi abi3 --abi none \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_17_x86_64 \
  --platform manylinux2014_x86_64 --platform any -d "$folder" "${pinned[@]}"
git rev-parse HEAD >"$folder/COMMIT" # the tree travels without its history

size=$(cat "$folder"/*.whl | wc -c)
tree=$(git ls-files -z --cached --others --exclude-standard | xargs -0 cat 2>/dev/null | wc -c)
echo "$(ls "$folder"/*.whl | wc -l) wheels, $((size / 1000000)) MB; with the tree $(((size + tree) / 1000000)) MB"
if [ "$size" -gt $((limit_mb * 1000000)) ]; then
  echo "more than $limit_mb MB of wheels" >&2
  exit 1
fi
if [ $((size + tree)) -gt "$tree_limit" ]; then
  echo "the tree and the wheels are over the 64 MiB that travel to a lent machine: use --without-av" >&2
  exit 1
fi
