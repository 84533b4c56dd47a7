"""numpy: accounts of one number of positions form a matrix, walked in blocks that stay in cache; an
interval of assets decides where debts stand still. One thread."""

import numpy as np
from race import interval, load, race, settle

BLOCK = 1 << 14


class Bucket:
    """Accounts with the same number of positions: a row of securities and quantities per position."""

    def __init__(self, accounts, security, quantity):
        self.accounts = accounts
        # Indices as wide as a pointer, or numpy converts them at every look-up.
        self.security = np.ascontiguousarray(security.T, np.intp)
        self.quantity = np.ascontiguousarray(quantity.T)


def buckets(data):
    account, security, quantity = data.positions
    count = np.bincount(account, minlength=len(data.fixed))
    first = np.concatenate(([0], np.cumsum(count)[:-1]))
    for size in np.unique(count):
        rows = np.flatnonzero(count == size)
        at = first[rows, None] + np.arange(size)
        yield Bucket(rows, security[at], quantity[at])


def main():
    data = load()
    groups = list(buckets(data))
    owing = np.unique(data.shorts[0])
    short = [np.searchsorted(owing, data.shorts[0]), *data.shorts[1:]]
    is_owing = np.zeros(len(data.fixed), bool)
    is_owing[owing] = True
    low, high = interval(data, np.arange(len(data.fixed)), data.money)
    # Those whose debts move are always looked at: their interval is empty.
    low[is_owing], high[is_owing] = np.iinfo(np.int64).max, 0
    order = np.concatenate([group.accounts for group in groups])
    fixed, low, high = data.fixed[order], low[order], high[order]
    assets = np.empty(len(order), np.int64)
    debts = data.money.copy()
    price, value = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64)

    def step(securities, prices):
        data.prices[securities] = prices
        begin, near = 0, []
        for group in groups:
            for first in range(0, len(group.accounts), BLOCK):
                last = min(first + BLOCK, len(group.accounts))
                at = slice(begin + first, begin + last)
                total, p, v = assets[at], price[:last - first], value[:last - first]
                total[:] = fixed[at]
                for security, quantity in zip(group.security, group.quantity):
                    np.take(data.prices, security[first:last], out=p, mode="clip")
                    np.multiply(p, quantity[first:last], out=v)
                    total += v
                moved = np.flatnonzero((total < low[at]) | (total >= high[at]))
                near.append(moved + (begin + first))
            begin += len(group.accounts)
        near = np.concatenate(near)
        near = near[np.argsort(order[near])]
        rows = order[near]
        owed = data.money[owing]
        np.add.at(owed, short[0], short[2] * data.prices[short[1]])
        debts[owing] = owed
        changes = settle(data, rows, assets[near], debts[rows])
        still = ~is_owing[rows]
        low[near[still]], high[near[still]] = interval(data, rows[still], debts[rows[still]])
        return changes

    race("numpy", np.__version__, data, step)


main()
