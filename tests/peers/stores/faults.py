"""What stores say of a device that fails: `faults.py PEERS_STORES DEVICE_SO FOLDER STORE TRIALS`.

A segment of 64 kB commits is filled by a process that tells which of them are durable. Then, each on a copy:
torn    the pages that the last commit changed, some of them, one of them in half, as a power cut leaves them
flipped one byte anywhere
full    a device of 24 MB, in memory: what is told when it is full, and what is there afterwards
sync    one sync fails: what is told of that commit and of the next ones, and what is there afterwards
A reader then opens what is left. Of commits that were durable it finds all, names a fault, panics, or loses
some or gives other bytes without a word.
"""

import os
import random
import shutil
import subprocess
import sys
from collections import Counter

binary, device, folder, store, trials = sys.argv[1:]
PAGE = 4096
BEFORE = 40


def at(name):
    return os.path.join(folder, name)


def started(place, first=1, **more):
    return subprocess.Popen(
        [binary, "fill", store, place, str(first)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1,
        env=os.environ | {"LD_PRELOAD": device} | more,
    )


def commit(process):
    """What a process says of its next commit; nothing where it has ended."""
    try:
        process.stdin.write("\n")
        process.stdin.flush()
    except BrokenPipeError:
        return ""
    return process.stdout.readline()


def found(place, last, durable):
    """What a reader says of the first `durable` commits."""
    read = subprocess.run([binary, "read", store, place, str(last)], capture_output=True, text=True)
    if read.returncode < 0 or read.returncode == 101:
        return "panics"
    if read.returncode:
        return "names a fault"
    words = read.stdout.split()
    whole, other = int(words[2]), int(words[4])
    if other:
        return "OTHER BYTES"
    return "all there" if whole >= durable else "LOST"


def files(place):
    return {
        os.path.relpath(os.path.join(base, name), place)
        for base, _, names in os.walk(place) for name in names
    }


def content(path):
    if not os.path.exists(path):
        return b""
    with open(path, "rb") as file:
        return file.read()


def torn(before, after, place, dice):
    """`before` with some of the pages that differ in `after`, one of them in half."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(after, place)
    pages = []
    for name in files(after) | files(before):
        old, new = content(os.path.join(before, name)), content(os.path.join(after, name))
        old = old.ljust(len(new), b"\0")
        for page in range(0, len(new), PAGE):
            if old[page:page + PAGE] != new[page:page + PAGE]:
                pages.append((name, page, old[page:page + PAGE]))
    dice.shuffle(pages)
    gone = pages[:dice.randint(1, len(pages))]
    for number, (name, page, old) in enumerate(gone):
        with open(os.path.join(place, name), "r+b") as file:
            half = PAGE // 2 if number == 0 else 0
            file.seek(page + half)
            file.write(old[half:])


def flipped(after, place, dice):
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(after, place)
    sizes = [(name, os.path.getsize(os.path.join(place, name))) for name in sorted(files(place))]
    name = dice.choices([name for name, _ in sizes], [size for _, size in sizes])[0]
    with open(os.path.join(place, name), "r+b") as file:
        where = dice.randrange(os.path.getsize(os.path.join(place, name)))
        file.seek(where)
        byte = file.read(1)[0]
        file.seek(where)
        file.write(bytes([byte ^ 1 << dice.randrange(8)]))


def told(name, counted):
    print(f"{store}: {name} " + ", ".join(f"{kind} {count}" for kind, count in counted.most_common()), flush=True)


shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
process = started(at("whole"))
process.stdout.readline()
for _ in range(BEFORE):
    assert commit(process).startswith("durable")
shutil.copytree(at("whole"), at("before"))
assert commit(process).startswith("durable")
shutil.copytree(at("whole"), at("after"))
process.kill()
process.wait()

dice, tears, flips = random.Random(7), Counter(), Counter()
for _ in range(int(trials)):
    torn(at("before"), at("after"), at("trial"), dice)
    tears[found(at("trial"), BEFORE + 1, BEFORE)] += 1
    flipped(at("after"), at("trial"), dice)
    flips[found(at("trial"), BEFORE + 1, BEFORE + 1)] += 1
told("torn", tears)
told("flipped", flips)

syncs = Counter()
for failing in range(2, 12):
    place = at("sync")
    shutil.rmtree(place, ignore_errors=True)
    process = started(place, SYNC_FAILS_AT=str(failing))
    said = [process.stdout.readline()] + [commit(process) for _ in range(12)]
    process.kill()
    process.wait()
    durable = [line for line in said if line.startswith("durable")]
    failed = next((number for number, line in enumerate(said) if not line.startswith(("durable", "open"))), None)
    if failed is None:
        syncs["not told"] += 1
        continue
    after = "goes on" if any(line.startswith("durable") for line in said[failed:]) else "takes nothing more"
    last = max([int(line.split()[1]) for line in durable], default=0)
    syncs[f"told, {after}, then {found(place, last, len(durable))}"] += 1
told("sync", syncs)

small = at("small")
os.makedirs(small)
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", small]).returncode:
    told("full", Counter({"skipped: no device may be mounted": 1}))
else:
    process = started(os.path.join(small, "store"))
    said = [process.stdout.readline()]
    while said[-1].startswith(("durable", "open")) and len(said) < 2_000:
        said.append(commit(process))
    more = [commit(process) for _ in range(3)]
    process.kill()
    process.wait()
    durable = sum(line.startswith("durable") for line in said)
    after = "goes on" if any(line.startswith("durable") for line in more) else "takes nothing more"
    told("full", Counter({
        f"after {durable} commits: {said[-1].strip() or 'ends'}; {after}; then {found(os.path.join(small, 'store'), durable, durable)}": 1
    }))
    subprocess.run(["umount", "-l", small], check=True)
shutil.rmtree(folder, ignore_errors=True)
