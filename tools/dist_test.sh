#!/usr/bin/env bash
# Test on several processes of one machine: tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [options of tools/test.py]
# More machines: set NNODES, NODE_RANK and MASTER_ADDR on each.
set -euo pipefail
config=$1 checkpoint=$2 processes=$3
exec "${PYTHON:-python}" -m torch.distributed.run --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$processes" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$(dirname "$0")/test.py" "$config" "$checkpoint" --launcher pytorch "${@:4}"
