#!/usr/bin/env python3
"""Schedules of faults by the thousand, on the journal and the tables alone (subject.cpp).

    python3 tests/fault/journal_faults.py BUILD SEEDS [FIRST] [PARALLEL]

Those that once failed go first, whatever is asked for. The last line is "M passed, N failed"; each failing seed is named with what was wrong.
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

# By what was wrong.
once_failed = {
    370: "what a rotation that failed left in the folder hid what the older segment took afterwards",
    713: "the same, after a power cut",
    2295: "the journal wedged: the newest segment was the one that its file had been before, since the disk had lied about emptying it",
    3084: "the process ended: no snapshot was to be had while another thread's commit was failing",
    5085: "the journal did not open: a torn record lay in a segment that was written anew and had no room to remove it",
    9774: "acknowledged records were lost: they lay in a file whose name was not on the disk, since the folder could not be synced",
    20403: "the journal stayed full: files that could not be removed for a while kept their room until the next start",
}

build, seeds = os.path.abspath(sys.argv[1]), int(sys.argv[2])
first = int(sys.argv[3]) if len(sys.argv) > 3 else 1
parallel = int(sys.argv[4]) if len(sys.argv) > 4 else 2
subject = os.path.join(build, "fault_subject")
shim = os.path.join(build, "libpicket_fault.so")
base = "/dev/shm" if os.path.isdir("/dev/shm") else None


def one(seed):
    """What is wrong with the seed, or nothing."""
    rng = random.Random(seed)
    folder = tempfile.mkdtemp(prefix="picket-fault-", dir=base)
    storage, armed, faults = (os.path.join(folder, name) for name in ("storage", "armed", "faults"))
    os.mkdir(storage)
    asan = os.environ.get("ASAN_OPTIONS", "")
    env = dict(os.environ, LD_PRELOAD=shim, PICKET_FAULT_FOLDER=storage, PICKET_FAULT_SEED=str(seed), PICKET_FAULT_ARMED=armed,
               PICKET_FAULT_LOG=faults, ASAN_OPTIONS=(asan + ":" if asan else "") + "verify_asan_link_order=0")
    cuts, lies = seed % 8 >= 5, seed % 8 == 7
    drop = ["drop"] if seed % 3 == 0 else []
    acks, log, problem, smaller = [], "", None, 0
    try:
        # Twice, so that what the first leaves is gone on from under faults.
        for life in range(2):
            if rng.random() < 0.2:
                open(armed, "w").close()
            ran = subprocess.run([subject, "run", storage, str(seed * 2 + life), armed, str(rng.randint(20, 120))] + drop, env=env,
                                 capture_output=True, text=True, timeout=120)
            log += ran.stderr
            lines = ran.stdout.split("\n")
            acks += [line for line in lines if line.startswith("ack ")]
            smaller += sum(int(line.split()[1]) for line in lines if line.startswith("smaller "))
            if os.path.exists(armed):
                os.remove(armed)
            if ran.returncode == -9 and cuts:
                continue
            if ran.returncode not in (0, 3):
                problem = f"ended with {ran.returncode}"
            elif ran.returncode == 0 and "well" not in lines:
                problem = "did not become itself again when the faults were over"
            if problem:
                break
        # With a disk that lies, what was acknowledged may be gone, and numbers that went with it come back.
        checked = subprocess.run([subject, "check", storage] + drop, input="" if lies else "\n".join(acks) + "\n", capture_output=True,
                                 text=True, timeout=120)
        log += checked.stderr
        if not problem and checked.returncode != 0:
            problem = checked.stdout.strip() or f"the check ended with {checked.returncode}"
            if lies and ("consumed and is not in" in problem or "set aside" in problem or "damaged" in problem):
                problem = None
    except subprocess.TimeoutExpired:
        problem = "hangs"
    if problem:
        tail = open(faults).read().split("\n")[-15:] if os.path.exists(faults) else []
        once = f" (once failed: {once_failed[seed]})" if seed in once_failed else ""
        print(f"seed {seed}{once}: {problem}\n" + "\n".join(log.split("\n")[-25:]) + "\nlast faults:\n" + "\n".join(tail), flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    return problem, len(acks), smaller


wanted = list(once_failed) + [seed for seed in range(first, first + seeds) if seed not in once_failed]
with ThreadPoolExecutor(parallel) as pool:
    results = list(pool.map(one, wanted))
failed = sum(1 for problem, _, _ in results if problem)
smaller = sum(smaller for _, _, smaller in results)
print(f"{sum(acks for _, acks, _ in results)} acknowledged, {smaller} segments recompressed")
if smaller == 0 and seeds >= 100:
    failed += 1
    print("no segment was recompressed: these seeds prove nothing of that")
print(f"{len(wanted) - failed} passed, {failed} failed")
sys.exit(1 if failed else 0)
