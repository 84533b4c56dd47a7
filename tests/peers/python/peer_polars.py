"""polars, all its threads: positions stand account by account, so that the value of an account is the
difference of two running sums and nothing is joined or grouped (grouping took half as long again, a
join twice as long); an interval of assets decides where debts stand still."""

import numpy as np
import polars as pl
from race import interval, load, race, settle


class Held:
    """Holdings account by account, and where those of each account end."""

    def __init__(self, account, security, quantity):
        self.accounts = np.unique(account)
        self.frame = pl.DataFrame({"security": security.astype(np.uint32), "quantity": quantity})
        last = np.append(np.flatnonzero(np.diff(account)), len(account) - 1)
        self.last = pl.Series("last", last.astype(np.uint32))

    def worth(self, prices):
        """By account. Running sums that wrap around differ by the same."""
        running = (pl.lit(prices).gather(pl.col("security")) * pl.col("quantity")).cum_sum().gather(self.last)
        return self.frame.lazy().select(value=running - running.shift(1, fill_value=0))


def main():
    data = load()
    held, owed = Held(*data.positions), Held(*data.shorts)
    assert len(held.accounts) == len(data.fixed)
    low, high = interval(data, np.arange(len(data.fixed)), data.money)
    owing = owed.accounts
    is_owing = np.zeros(len(data.fixed), bool)
    is_owing[owing] = True
    # Those whose debts move are always looked at: their interval is empty.
    low[owing], high[owing] = np.iinfo(np.int64).max, 0
    debts = data.money.copy()
    fixed = pl.Series("fixed", data.fixed)

    def step(securities, quotes):
        data.prices[securities] = quotes
        prices = pl.Series("price", data.prices)
        bounds = pl.DataFrame({"fixed": fixed, "low": low, "high": high}).lazy()
        book = pl.concat([held.worth(prices), bounds], how="horizontal").with_row_index("account")
        assets = pl.col("value") + pl.col("fixed")
        book = book.select("account", "low", "high", assets=assets)
        near = book.filter((pl.col("assets") < pl.col("low")) | (pl.col("assets") >= pl.col("high")))
        near, short = pl.collect_all([near.select("account", "assets"), owed.worth(prices)])
        debts[owing] = data.money[owing] + short["value"].to_numpy()
        rows, values = near["account"].to_numpy().astype(np.int64), near["assets"].to_numpy()
        changes = settle(data, rows, values, debts[rows])
        still = rows[~is_owing[rows]]
        low[still], high[still] = interval(data, still, data.money[still])
        return changes

    race("polars", pl.__version__, data, step)


main()
