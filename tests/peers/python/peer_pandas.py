"""pandas: prices taken by code, products summed by a grouping that is made once; an interval of
assets decides where debts stand still. One thread."""

import numpy as np
import pandas as pd
from race import interval, load, race, settle


def main():
    data = load()
    names = ("account", "security", "quantity")
    held, owed = (pd.DataFrame(dict(zip(names, rows))) for rows in (data.positions, data.shorts))
    by_holder = held.groupby("account", sort=False)._grouper
    by_debtor = owed.groupby("account", sort=False)._grouper
    prices = pd.Series(data.prices)
    book = pd.DataFrame({"fixed": data.fixed, "debts": data.money})
    book["low"], book["high"] = interval(data, np.arange(len(book)), data.money)
    owing = np.sort(owed["account"].unique())
    is_owing = np.zeros(len(book), bool)
    is_owing[owing] = True
    # Those whose debts move are always looked at: their interval is empty.
    book.loc[owing, "low"], book.loc[owing, "high"] = np.iinfo(np.int64).max, 0
    money = pd.Series(data.money)

    def worth(holdings, grouping):
        value = prices.take(holdings["security"].to_numpy()).to_numpy() * holdings["quantity"]
        return value.groupby(grouping).sum()

    def step(securities, quotes):
        prices.iloc[securities] = quotes
        assets = book["fixed"] + worth(held, by_holder)
        debts = worth(owed, by_debtor).sort_index() + money.iloc[owing]
        book.loc[owing, "debts"] = debts
        near = np.flatnonzero((assets < book["low"]) | (assets >= book["high"]))
        changes = settle(data, near, assets.to_numpy()[near], book["debts"].to_numpy()[near])
        still = near[~is_owing[near]]
        low, high = interval(data, still, data.money[still])
        book.loc[still, "low"], book.loc[still, "high"] = low, high
        return changes

    race("pandas", pd.__version__, data, step)


main()
