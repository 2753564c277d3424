#!/usr/bin/env bash
# Runs a stepmill command on the nodes of a Slurm job:
#
#   sbatch --nodes=4 --gpus-per-node=8 --time=12:00:00 \
#     deploy/slurm.sh run --root /shared/store --run-id first
#
# Starts Ray on every node of the job, runs `stepmill COMMAND...` on the first, then ends both. A job
# that is requeued (preempted, a node lost, its time over) does what is missing. See docs/slurm.md.
#
#SBATCH --job-name=stepmill
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=stepmill-%j.log
#SBATCH --signal=B:USR1@120
set -euo pipefail

tell() { echo "slurm.sh: $*" >&2; }
fail() {
  tell "$*"
  exit 2
}

[[ -n ${SLURM_JOB_ID:-} ]] || fail "expected to run in a Slurm job: sbatch deploy/slurm.sh COMMAND..."
(($#)) || fail "expected a stepmill command, such as: run --root /shared/store --run-id first"
[[ " $* " == *" --run-id"[\ =]* ]] || fail "expected --run-id: a requeued job goes on with that run"
# Slurm runs a copy of this script, so programs are not found beside it.
export STEPMILL_BIN=${STEPMILL_BIN:-$SLURM_SUBMIT_DIR/.venv/bin}
[[ -x $STEPMILL_BIN/stepmill ]] ||
  fail "expected stepmill in $STEPMILL_BIN; STEPMILL_BIN names the folder that it is in on every node"
wait_s=${STEPMILL_RAY_WAIT_S:-300}

first=$SLURMD_NODENAME
address=$(scontrol show node "$first" | sed -n 's/.*NodeAddr=\([^ ]*\).*/\1/p')
address=$(getent ahostsv4 "${address:-$first}" | awk 'NR == 1 { print $1 }') || true
[[ -n $address ]] || fail "expected node $first to have an IPv4 address"

# The port and the folder are the job's own, so that two jobs on a node do not meet. Who does not know
# the token cannot use its Ray.
port=${STEPMILL_RAY_PORT:-$((20000 + SLURM_JOB_ID % 10000))}
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_raylet_start_wait_time_s=60 RAY_gcs_server_port_wait_time_s=60 STEPMILL_RAY_WAIT_S=$wait_s
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 RAY_ADDRESS=$address:$port

# The processes that are ended when the script ends; empty where there is none.
steps=()
command=
joining=
server=
is_ended_by_slurm=

# The run's Prefect server is the job's too, unless PREFECT_API_URL names one: with the port and database
# of others it would end with their jobs.
own_home=
if [[ -z ${PREFECT_API_URL:-} ]]; then
  [[ -n ${PREFECT_HOME:-} ]] || own_home=/tmp/prefect-$SLURM_JOB_ID
  prefect_port=${STEPMILL_PREFECT_PORT:-$((30000 + SLURM_JOB_ID % 10000))}
  export PREFECT_API_URL=http://127.0.0.1:$prefect_port/api DO_NOT_TRACK=1
  export PREFECT_HOME=${PREFECT_HOME:-$own_home} PREFECT_SERVER_ANALYTICS_ENABLED=false
  "$STEPMILL_BIN/python" -m prefect server start --host 127.0.0.1 --port "$prefect_port" >/dev/null &
  server=$!
fi

# Starts Ray on nodes: their names, then the arguments of `ray start`. With `--block` Ray ends with the
# step, and the step with the job. A Ray that ends by itself is tried again while nodes may join: on a busy
# node parts of it give up after 15 s.
start_ray() {
  local nodes=$1 number
  shift
  number=$(scontrol show hostnames "$nodes" | wc -l)
  # shellcheck disable=SC2016 # SLURM_CPUS_ON_NODE is that of each node.
  srun --nodes="$number" --ntasks="$number" --nodelist="$nodes" --overlap --cpu-bind=none bash -c '
    folder=/tmp/ray-$SLURM_JOB_ID.${SLURMD_NODENAME:0:20} status=0 is_told=
    trap is_told=yes TERM INT
    while
      rm -rf "$folder"
      "$STEPMILL_BIN/ray" start --num-cpus="$SLURM_CPUS_ON_NODE" --temp-dir="$folder" "$@" || status=$?
      [[ -z $is_told ]] && ((SECONDS < STEPMILL_RAY_WAIT_S))
    do echo "slurm.sh: Ray ended on $SLURMD_NODENAME ($status), and is started again" >&2; done
    exit "$status"' ray "$@" --block --disable-usage-stats >&2 &
  steps+=($!)
}

# Waits until a process has ended, at most some seconds.
# shellcheck disable=SC2317 # Traps call this, and the two below.
await_end() {
  local process=$1 seconds=$2
  while kill -0 "$process" 2>/dev/null && ((seconds-- > 0)); do sleep 1; done
}

# Ends what runs. The run first: it records that it was stopped, which it cannot without its server.
# shellcheck disable=SC2317
end() {
  trap - EXIT
  trap '' USR1 TERM INT
  for process in $command $joining; do kill -TERM "$process" 2>/dev/null || true; done
  [[ -z $command ]] || await_end "$command" 30
  for process in "${steps[@]}" $server; do kill -TERM "$process" 2>/dev/null || true; done
  for process in "${steps[@]}" $server; do await_end "$process" 10; done
  # Slurm starts no step in a job that it ends: Ray's folders then stay.
  # shellcheck disable=SC2016
  [[ -n $is_ended_by_slurm ]] || timeout 15 srun --nodes="$SLURM_JOB_NUM_NODES" \
    --ntasks="$SLURM_JOB_NUM_NODES" --overlap bash -c 'rm -rf "/tmp/ray-$SLURM_JOB_ID".*' || true
  [[ -z $own_home ]] || rm -rf "$own_home"
}
trap end EXIT
# `scancel`, a requeue by others, the end of the time: Slurm tells all processes of the job at once.
trap 'is_ended_by_slurm=yes; exit 143' TERM INT

# Slurm's notice that the time is nearly over.
# shellcheck disable=SC2317
requeue() {
  tell "the time of job $SLURM_JOB_ID is nearly over: it is requeued, and the run goes on then"
  end
  scontrol requeue "$SLURM_JOB_ID"
  exit 0
}
trap requeue USR1

tell "job $SLURM_JOB_ID, start $((${SLURM_RESTART_COUNT:-0} + 1)): Ray on $SLURM_JOB_NODELIST, head $RAY_ADDRESS"
start_ray "$first" --head --port="$port" --node-ip-address="$address" --include-dashboard=false
others=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | grep -vxF "$first" | paste -sd,) || true

# The run counts the nodes when it starts, so it starts when all have joined. Other nodes join a head
# that answers.
await_nodes() {
  "$STEPMILL_BIN/python" - "$1" "$wait_s" >&2 <<'PYTHON' &
import sys
import time

import ray

wanted, deadline = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
while True:
    try:
        if not ray.is_initialized():
            ray.init(log_to_driver=False, logging_level="CRITICAL")
        joined = sum(node["Alive"] for node in ray.nodes())
    except Exception as error:
        joined, fault = 0, f": {error}"
    else:
        fault = ""
    if joined >= wanted:
        break
    if time.monotonic() > deadline:
        sys.exit(f"slurm.sh: expected {wanted} nodes in Ray within {sys.argv[2]} s, got {joined}{fault}")
    time.sleep(1)
PYTHON
  joining=$!
  # A step that ends now is a Ray that did not start.
  wait -n "$joining" "${steps[@]}" || fail "Ray did not start on all nodes; see the lines above"
  ! kill -0 "$joining" 2>/dev/null || fail "Ray ended while nodes were joining; see the lines above"
  joining=
}
await_nodes 1
if [[ -n $others ]]; then
  start_ray "$others" --address="$RAY_ADDRESS"
  await_nodes "$SLURM_JOB_NUM_NODES"
fi
tell "$SLURM_JOB_NUM_NODES nodes joined"
[[ -z $server ]] || "$STEPMILL_BIN/python" - "$PREFECT_API_URL" "$wait_s" >&2 <<'PYTHON'
import sys
import time
import urllib.request

deadline = time.monotonic() + float(sys.argv[2])
while True:
    try:
        urllib.request.urlopen(f"{sys.argv[1]}/health", timeout=5).close()
        break
    except OSError as error:
        if time.monotonic() > deadline:
            sys.exit(f"slurm.sh: the Prefect server does not answer at {sys.argv[1]}: {error}")
        time.sleep(0.2)
PYTHON

"$STEPMILL_BIN/stepmill" "$@" &
command=$!
status=0
wait "$command" || status=$?
command=
exit "$status"
