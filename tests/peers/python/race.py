"""What every Python contender shares: the flat input, the rule of tiers of domain.md section 6 over
columns of 64-bit integers, the clock and the digest. The Rust ones have the same in `common`."""

import os
import sys
import time

import blake3
import numpy as np
import pyarrow.parquet as parquet

ONE, BAND = 10_000, 200
NORMAL = 1
FAR = np.int64(2**62)
RECORD = np.dtype([("epoch", "<u8"), ("account", "<u4"), ("from", "u1"), ("to", "u1"),
                   ("a_low", "<i8"), ("a_high", "<i8"), ("d_low", "<i8"), ("d_high", "<i8")])


class Data:
    """The flat input in columns, checked so that no product or sum below leaves 64 bits."""

    def __init__(self, folder):
        self.folder = folder
        accounts = self.table("accounts")
        self.fixed, self.money, self.tier = (accounts[name].to_numpy() for name in ("fixed", "money", "tier"))
        self.tier = self.tier.copy()
        lines = [accounts[name] for name in ("watch", "warning", "call", "immediate", "insolvent")]
        self.line = np.array([line.fill_null(0).to_numpy() for line in lines])
        self.present = np.array([line.is_valid().to_numpy() for line in lines])
        self.positions, self.shorts = (
            [table[name].to_numpy() for name in ("account", "security", "quantity")]
            for table in map(self.table, ("positions", "shorts")))
        self.prices = self.table("prices")["price"].to_numpy().copy()
        feed = self.table("feed")
        epoch = feed["epoch"].to_numpy()
        cuts = np.flatnonzero(np.diff(epoch)) + 1
        self.feed = list(zip(np.split(feed["security"].to_numpy(), cuts), np.split(feed["price"].to_numpy(), cuts)))
        highest = self.prices.copy()
        np.maximum.at(highest, feed["security"].to_numpy(), feed["price"].to_numpy())
        self.check(highest)

    def table(self, name):
        return parquet.read_table(os.path.join(self.folder, name + ".parquet"))

    def check(self, highest):
        """Exact: whatever the prices of the feed, A x 10 000 and line x D fit 64 bits."""
        for own, (account, security, quantity) in ((self.fixed, self.positions), (self.money, self.shorts)):
            # In floats, hence the thousandth on top.
            values = np.bincount(account, quantity * highest[security].astype(float), len(own))
            greatest = int((values + np.abs(own)).max() * 1.001) + 1
            assert greatest * int(self.line.max() + BAND) < 2**63, "64 bits are too narrow for this book"


def ceil_div(value, by):
    return -(-value // by)


def judge(data, rows, assets, debts):
    """The tiers that some accounts move to."""
    tier = data.tier[rows]

    def worst(band):
        found = np.full(len(rows), NORMAL)
        for place in range(5):
            holds = assets * ONE < (data.line[place, rows] + band) * debts
            found = np.where(data.present[place, rows] & holds, place + 2, found)
        return found

    raw = worst(0)
    moved = np.where((tier == 0) | (raw > tier), raw, np.minimum(worst(BAND), tier))
    return np.where(debts == 0, 0, moved)


def interval(data, rows, debts):
    """The assets from..below that change nothing, for given debts."""
    tier = data.tier[rows]
    low, high = np.full(len(rows), -FAR), np.full(len(rows), FAR)
    for place in range(5):
        line, present = data.line[place, rows], data.present[place, rows]
        worse = present & (place + 2 > tier)
        low = np.where(worse, np.maximum(low, ceil_div(line * debts, ONE)), low)
        calm = present & (place + 2 >= tier) & (tier > NORMAL)
        top = np.where(high == FAR, -FAR, high)
        high = np.where(calm, np.maximum(top, ceil_div((line + BAND) * debts, ONE)), high)
    return np.where(debts == 0, -FAR, low), np.where(debts == 0, FAR, high)


def settle(data, rows, assets, debts):
    """Moves accounts to their tiers; gives the announced changes by account."""
    to, was = judge(data, rows, assets, debts), data.tier[rows]
    data.tier[rows] = to
    told = (to != was) & (np.maximum(to, was) > NORMAL)
    return [column[told] for column in (rows, was, to, assets, debts)]


def peak_mib():
    """Peak resident memory since the last time it was asked."""
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    with open("/proc/self/clear_refs", "w") as clear:
        clear.write("5")
    return peak // 1024


def race(name, version, data, step):
    """Runs the feed; only `step(securities, prices)` is timed, which gives columns account, from, to,
    assets, debts by account."""
    cpu = wall = changes = 0
    digest = blake3.blake3()
    peak_mib()
    for epoch, (securities, prices) in enumerate(data.feed):
        started, used = time.perf_counter_ns(), time.process_time_ns()
        account, was, to, assets, debts = step(securities, prices)
        cpu += time.process_time_ns() - used
        wall += time.perf_counter_ns() - started
        assert (np.diff(account) > 0).all()
        records = np.empty(len(account), RECORD)
        columns = (epoch, account, was, to, assets, assets >> 63, debts, debts >> 63)
        for field, column in zip(RECORD.names, columns):
            records[field] = column
        digest.update(records.tobytes())
        changes += len(account)
    epochs = len(data.feed)
    print(f"peer={name} {version} epochs={epochs} cpu_us={cpu // epochs // 1000} wall_us={wall // epochs // 1000} "
          f"memory_mib={peak_mib()} changes={changes} digest={digest.hexdigest()[:16]}")


def load():
    return Data(sys.argv[1])
