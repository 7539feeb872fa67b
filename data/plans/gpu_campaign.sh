#!/bin/sh
# Make the most of a few minutes on a GPU: sh data/plans/gpu_campaign.sh STORE [MINUTES, default: 10]
#
# The plans gpu_campaign_1.yaml to gpu_campaign_4.yaml are measured in this order, what brings most first. Each row is
# on the disk as soon as it is measured. When the time is up the rest is left; the same command goes on with it.
set -eu
store=${1:?name the file for the rows, as in: sh gpu_campaign.sh gpu.jsonl}
left=$((${2:-10} * 60))
end=$(($(date +%s) + left))
here=$(dirname "$0")
for number in 1 2 3 4; do
  left=$((end - $(date +%s)))
  if [ "$left" -le 0 ]; then
    echo "gpu_campaign: the time is up before plan $number; the same command goes on" >&2
    exit 0
  fi
  echo "gpu_campaign: plan $number of 4, $left seconds left" >&2
  status=0
  timeout -s INT -k 20 "$left" fastscale sweep "$here/gpu_campaign_$number.yaml" --store "$store" || status=$?
  if [ "$status" -ne 0 ] && [ "$(date +%s)" -lt "$end" ]; then
    exit "$status"
  fi
done
