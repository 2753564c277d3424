"""deploy/slurm.sh under a real Slurm: a controller and two nodes in network namespaces.

Tests with the marker `slurm` start Ray on both nodes at every start of a job, and take minutes.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from schemas.rows import PROBLEMS
from schemas.units import Unit
from tasks.engines.markov_engine import markov_problems

PROJECT = Path(__file__).resolve().parents[2]
SCRIPT = PROJECT / "deploy/slurm.sh"
NUM_PROBLEMS, NUM_SAMPLES, NUM_UNITS = 400, 100, 40
TIMEOUT_S = 600.0
"""For each thing that is awaited; on a busy machine Ray alone takes a minute and a half."""
CONFIG = f"""
problems: {{type: world}}
policy: {{type: markov, num_steps: 10}}
sampling:
  {{num_samples: {NUM_SAMPLES}, max_tokens: 20,
   trajectories_per_unit: {NUM_PROBLEMS * NUM_SAMPLES // NUM_UNITS}}}
pool: {{num_actors: 2}}
"""
SLURM_CONF = """
ClusterName=test
SlurmctldHost=control({control})
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=20
CredType=cred/munge
StateSaveLocation={folder}/control
MailProg=/bin/true
SlurmctldPidFile={folder}/control.pid
SlurmctldLogFile={folder}/control.log
SlurmdSpoolDir={folder}/%n
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
FirstJobId={first_job}
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SchedulerParameters=sched_interval=1
ReturnToService=2
SlurmdTimeout=10
KillWait=15
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MpiDefault=none
NodeName=node1 NodeHostname=node1 NodeAddr={node1} CPUs=1
NodeName=node2 NodeHostname=node2 NodeAddr={node2} CPUs=1
PartitionName=all Nodes=ALL Default=YES State=UP MaxTime=INFINITE PriorityTier=1
PartitionName=urgent Nodes=ALL State=UP MaxTime=INFINITE PriorityTier=2
"""
# A requeued job waits until the credential of its last start has expired (`cred_expire`).
# slurmd wants to see a group of processes, even where it uses none.
CGROUP_CONF = "CgroupPlugin=cgroup/v1\nIgnoreSystemd=yes\n"
CGROUPS = "mount -t tmpfs none /sys/fs/cgroup"


def wait_for(condition, what):
    deadline = time.monotonic() + TIMEOUT_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what()} after {TIMEOUT_S:g} s"
        time.sleep(0.2)
    return found


class Slurm:
    """A controller and two nodes; commands are given on the controller."""

    def __init__(self, hosts, folder):
        self.hosts, self.folder = hosts, Path(folder)
        self.environment = os.environ | {
            "SLURM_CONF": f"{folder}/slurm.conf",
            "OMP_NUM_THREADS": "1",
            "STEPMILL_BIN": str(Path(sys.executable).parent),
            "STEPMILL_RAY_WAIT_S": f"{TIMEOUT_S - 100:.0f}",
        }
        for name in ("RAY_ADDRESS", "PREFECT_API_URL"):
            self.environment.pop(name, None)

    def start(self):
        addresses = {name: self.hosts.add(name) for name in ("control", "node1", "node2")}
        # Names of ports and folders have the job's number, and the hosts share /tmp.
        text = SLURM_CONF.format(folder=self.folder, first_job=os.getpid(), **addresses)
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "cgroup.conf").write_text(CGROUP_CONF)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        munge = ["munged", "--foreground", "--force", f"--key-file={key}"]
        munge += [f"--socket={self.folder}/munge.socket", f"--pid-file={self.folder}/munge.pid"]
        munge += [f"--seed-file={self.folder}/munge.seed", f"--log-file={self.folder}/munge.log"]
        self._start("control", *munge)
        wait_for((self.folder / "munge.socket").exists, lambda: "no socket of munge")
        self._start_as("control", "slurmctld -D")
        for node in ("node1", "node2"):
            self.start_node(node)
        wait_for(
            lambda: self.ask("sinfo", "-h", "-t", "idle", "-o", "%D") == "2",
            lambda: self.ask("sinfo", "-N", "-l"),
        )

    def start_node(self, name):
        self._start_as(name, f"{CGROUPS} && exec slurmd -D")

    def submit(self, *what, options=()):
        """Submit a job of both nodes; its id."""
        where = ["--parsable", "--nodes=2", f"--chdir={self.folder}", *options]
        return self.ask("sbatch", *where, *what)

    def ask(self, *command):
        done = self.hosts.start(
            "control",
            *command,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return done.communicate(timeout=TIMEOUT_S)[0].strip()

    def state_of(self, job):
        fields = self.ask("scontrol", "show", "job", job).split()
        return next(field for field in fields if field.startswith("JobState=")).partition("=")[2]

    def programs(self):
        """The names of what runs on the nodes."""
        running = (pid for name in ("node1", "node2") for pid in self.hosts.process_ids(name))
        return {name for pid in running if (name := _name_of(pid))}

    def _start_as(self, host, command):
        """Start a shell command on a host that bears its name."""
        (self.folder / host).mkdir(exist_ok=True)
        named = f"hostname {host} && {command}"
        self._start(host, "unshare", "--uts", "--mount", "sh", "-c", named)

    def _start(self, host, *command):
        log = (self.folder / f"{host}.out").open("a")
        self.hosts.start(host, *command, env=self.environment, stdout=log, stderr=log)


def _name_of(pid):
    """The name of a process; None if it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None


@pytest.fixture
def slurm(hosts, short_folder):
    missing = [name for name in ("slurmctld", "slurmd", "munged") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: Debian's slurm-wlm and munge have them")
    cluster = Slurm(hosts, short_folder)
    cluster.start()
    return cluster


class Job:
    """A run in a job of both nodes, submitted when made."""

    def __init__(self, slurm, store, folder):
        source = Unit(run_id="run", stage="problems", name="eval", table=PROBLEMS.name)
        store.commit(source, markov_problems(NUM_PROBLEMS, seed=3))
        config = folder / "config.yaml"
        config.write_text(CONFIG)
        self.slurm, self.store, self.log = slurm, store, slurm.folder / "job.log"
        self.id = slurm.submit(
            str(SCRIPT),
            *("run", "sampling", "--root", store.url, "--config", str(config), "--run-id", "run"),
            options=[f"--output={self.log}"],
        )

    def text(self):
        if self.log.exists():
            return self.log.read_text()
        return self.slurm.ask("scontrol", "show", "job", self.id)

    def files(self):
        """The committed files of solutions, with the time of each."""
        found = self.store.root.glob("trajectories/**/*.parquet")
        return {path: path.stat().st_mtime_ns for path in found}

    def wait_for(self, condition):
        """Wait for a condition; a job that fails meets none."""

        def is_met():
            state = self.slurm.state_of(self.id)
            assert state != "FAILED", self.text()
            return condition(state)

        wait_for(is_met, self.text)

    def wait_for_files(self, number):
        self.wait_for(lambda _: len(self.files()) >= number)

    def wait_for_text(self, text):
        self.wait_for(lambda _: text in self.text())

    def wait_for_state(self, wanted):
        self.wait_for(lambda state: state == wanted)


@pytest.mark.slurm
def test_a_job_goes_on_after_a_lost_node_and_the_notice_of_its_time(slurm, store, tmp_path):
    job = Job(slurm, store, tmp_path)
    job.wait_for_files(3)
    slurm.hosts.kill("node2")
    job.wait_for_state("PENDING")
    of_first_start = job.files()
    assert slurm.programs() <= {"slurmd", "sh"}
    slurm.start_node("node2")

    job.wait_for_text("start 2:")
    job.wait_for_files(len(of_first_start) + 3)
    # As Slurm does when the time is nearly over; the script then requeues its job.
    assert slurm.ask("scancel", "--batch", "--signal=USR1", job.id) == ""
    job.wait_for_text("is nearly over: it is requeued")
    job.wait_for_state("PENDING")
    of_second_start = job.files()
    assert slurm.programs() <= {"slurmd", "sh"}

    job.wait_for_state("COMPLETED")
    assert job.text().count("2 nodes joined") == 3
    written = job.files()
    assert len(written) == NUM_UNITS
    assert of_first_start.items() <= of_second_start.items() <= written.items()
    rows = sum(pq.ParquetFile(path).metadata.num_rows for path in written)
    assert rows == NUM_PROBLEMS * NUM_SAMPLES
    wait_for(lambda: slurm.programs() <= {"slurmd", "sh"}, slurm.programs)
    assert not [
        path for name in ("ray", "prefect") if (path := Path(f"/tmp/{name}-{job.id}")).exists()
    ]


@pytest.mark.slurm
def test_a_job_goes_on_after_preemption_and_scancel_leaves_nothing_behind(slurm, store, tmp_path):
    job = Job(slurm, store, tmp_path)
    job.wait_for_files(3)
    urgent = slurm.submit("--wrap=true", options=["--partition=urgent", "--exclusive"])
    wait_for(lambda: slurm.state_of(urgent) == "COMPLETED", job.text)
    of_first_start = job.files()

    job.wait_for_text("start 2:")
    job.wait_for_files(len(of_first_start) + 3)
    assert slurm.ask("scancel", job.id) == ""
    job.wait_for_state("CANCELLED")
    wait_for(lambda: slurm.programs() <= {"slurmd", "sh"}, slurm.programs)
    written = job.files()
    assert of_first_start.items() <= written.items()
    rows = sum(pq.ParquetFile(path).metadata.num_rows for path in written)
    assert rows == len(written) * NUM_PROBLEMS * NUM_SAMPLES // NUM_UNITS


def run_script(*arguments, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    return subprocess.run(
        ["bash", str(SCRIPT), *arguments],
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["run"], {}, "expected to run in a Slurm job: sbatch deploy/slurm.sh COMMAND..."),
        ([], {"SLURM_JOB_ID": "7"}, "expected a stepmill command, such as: run"),
        (["run"], {"SLURM_JOB_ID": "7"}, "expected --run-id: a requeued job goes on with that run"),
        (
            ["run", "--run-id=a"],
            {"SLURM_JOB_ID": "7", "STEPMILL_BIN": "/nowhere"},
            "expected stepmill in /nowhere",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_ray_starts(arguments, environment, message):
    done = run_script(*arguments, **environment)
    assert done.returncode == 2
    assert message in done.stderr
