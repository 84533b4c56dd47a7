//! The end of an epoch in a lane: who must be judged, the verdict on each, and the row it takes
//! until it must be judged again.

use crate::book::Contract;
use crate::causes::{Crossing, Journal};
use crate::columns::{Balance, Bounds, Kind, Looked};
use crate::effect::{Acts, Effect, Tier, TierChanged};
use crate::input::SecurityName;
use crate::lane::{Close, Hot, Lane};
use crate::looks::Worth;
use crate::market::Market;
use crate::num::{Money, Quantity, clamp_i64};
use crate::policy::Lines;
use crate::prices::fit;
use crate::tiers::{Stay, Test, boundary, fails_from, judge};

/// While an account owes and holds at most this many shares in all, its sums fit 64 bits at any
/// price of a band: 2³⁰ shares × 2³² units, plus money below 2⁵⁹, is below 2⁶³ (domain.md §1).
const NARROW_SHARES: i128 = 1 << 30;
/// Bound of the money of such an account.
const NARROW_MONEY: Money = 1 << 59;
/// From one account in so many on, marking them is cheaper than sorting them.
const MANY: usize = 64;
/// Accounts that are read together before they are judged.
const GATHER: usize = 16;

impl Lane {
    /// Ends the epoch: judges what must be judged.
    pub(crate) fn close(&mut self, close: Close, market: &Market) {
        self.effects.clear();
        self.unmarked.clear();
        self.looked = Looked::default();
        self.journal.index();
        self.terms.climb(&market.policy);
        for k in 0..self.dirty.len() {
            let i = self.dirty[k] as usize;
            self.dirty_flags[i] = false;
            self.refresh(i, market);
        }
        let mut found = std::mem::take(&mut self.dirty);
        // The columns cannot tell a price too large for them, nor one that is not there.
        let exact = market.giants > 0 || market.vanished;
        match close {
            Close::Touched => {}
            _ if exact => {
                self.columns.lay_all_bands(market);
                found.clear();
                found.extend(0..self.hot.len() as u32);
            }
            Close::Moved => self.looked = self.columns.find(market, &mut found),
            Close::Every { settlement } => self.find_all(settlement, market, &mut found),
        }
        self.put_in_order(&mut found);
        let settle = close == Close::Every { settlement: true };
        // Rows that inputs left alone stand where they stood: nothing but prices moved them.
        let by_prices = close == Close::Moved && !exact && self.put_deltas(market);
        for block in found.chunks(GATHER) {
            self.columns.fetch(block.iter().copied());
            std::hint::black_box(
                block.iter().fold(0, |read, &account| read ^ self.hot[account as usize].debts),
            );
            for &account in block {
                let i = account as usize;
                if !(by_prices && self.columns.kind(account) == Kind::Words && self.cross(i, market)) {
                    self.judge(i, settle, market);
                }
            }
        }
        self.judged = found.len() as u64;
        found.clear();
        self.dirty = found;
        self.journal.clear();
        self.accrued = Vec::new();
    }

    /// Puts accounts in order, each once: a list may have found again what another had found.
    fn put_in_order(&mut self, found: &mut Vec<u32>) {
        if found.len() < self.hot.len() / MANY {
            found.sort_unstable();
            found.dedup();
            return;
        }
        found.drain(..).for_each(|account| self.dirty_flags[account as usize] = true);
        let flags = self.dirty_flags.iter_mut().zip(0..);
        found.extend(flags.filter_map(|(flag, account)| std::mem::take(flag).then_some(account)));
    }

    /// Sets what the moves of the epoch do to a share, those of securities that stand meaning nothing;
    /// tells whether all are narrow.
    fn put_deltas(&mut self, market: &Market) -> bool {
        market.moves.iter().all(|moved| {
            let delta = moved.before.zip(market.mark(moved.security)).map_or(0, |(before, now)| now - before);
            i32::try_from(delta).is_ok_and(|delta| {
                self.deltas.set(moved.security, delta);
                true
            })
        })
    }

    /// Debts, lines or the band of every account moved: gives rows of words that keep their tier
    /// their new bounds, and finds all other accounts with contracts.
    fn find_all(&mut self, settle: bool, market: &Market, found: &mut Vec<u32>) {
        self.columns.lay_all_bands(market);
        let terms = &self.terms;
        let stay =
            |hot: &Hot| (hot.debts < NARROW_MONEY).then(|| &terms.ladder(hot.terms).stays[hot.tier as usize]);
        let bounds = |hot: &Hot| {
            let stay = stay(hot).filter(|_| hot.debts > 0)?;
            let bounds = hot.bounds(stay);
            let settled = || Bounds::new(0, hot.edge_or_none(stay.settled));
            Some((bounds, if settle { bounds.and(settled()) } else { bounds }))
        };
        let balance = |hot: &Hot| {
            let balance = hot.balance(stay(hot)?);
            Some((balance, if settle { Balance { calm: stay(hot)?.settled, ..balance } } else { balance }))
        };
        self.columns.keep(&market.prices, &self.hot, (bounds, balance), found);
    }

    /// Brings what an epoch reads of an account up to its books; its row goes or has void bounds, until
    /// it is judged and seated anew.
    pub(crate) fn refresh(&mut self, i: usize, market: &Market) {
        self.catch_up(i, market);
        self.owe(i, market);
        self.classify(i, market);
        let hot = &self.hot[i];
        if hot.kind != Kind::Words || !self.columns.rewrite(i as u32, self.holdings.iter(hot.extent)) {
            self.columns.remove(i as u32);
        }
    }

    /// Sets what kind of row an account must have.
    fn classify(&mut self, i: usize, market: &Market) {
        let account = &self.accounts[i];
        let fixed = account.cash + account.receivables() + i128::from(account.other);
        let narrow_money = |m: i128| m.abs() < i128::from(NARROW_MONEY);
        let (held, owed) = (|| self.holdings.iter(self.hot[i].extent), || owed(&account.contracts));
        let shares: i128 = held().chain(owed()).map(|(_, quantity)| i128::from(quantity)).sum();
        let marked = || held().chain(owed()).all(|(name, _)| market.mark(name).is_some());
        let narrow = shares < NARROW_SHARES
            && narrow_money(fixed)
            && narrow_money(account.money_debts())
            && fit(held().chain(owed()))
            && marked();
        let kind = match (narrow, owed().next().is_some()) {
            _ if account.contracts.is_empty() => Kind::Nowhere,
            (true, true) => Kind::Owing,
            (true, false) if account.money_debts() > 0 => Kind::Words,
            _ => Kind::Full,
        };
        (self.hot[i].fixed, self.hot[i].kind) = (clamp_i64(fixed), kind);
    }

    /// Gives an account the row of its kind, for the tier it has.
    pub(crate) fn seat(&mut self, i: usize, market: &Market) {
        let (hot, account) = (&self.hot[i], i as u32);
        let seated = self.columns.kind(account);
        let holdings = || self.holdings.iter(hot.extent);
        match hot.kind {
            Kind::Nowhere => self.columns.remove(account),
            Kind::Words => {
                let bounds = hot.bounds(&self.terms.ladder(hot.terms).stays[hot.tier as usize]);
                if seated == Kind::Words {
                    let (value, _) = self.columns.value(account, &market.prices);
                    self.columns.rebound(account, value, bounds);
                } else {
                    self.columns.remove(account);
                    self.columns.seat_words(account, holdings(), bounds, &market.prices);
                }
            }
            Kind::Owing => {
                let balance = hot.balance(&self.terms.ladder(hot.terms).stays[hot.tier as usize]);
                let owed = owed(&self.accounts[i].contracts);
                self.columns.seat_owing(account, holdings(), owed, balance, &market.prices);
            }
            Kind::Full if seated == Kind::Full => {}
            Kind::Full => {
                let names = holdings().chain(owed(&self.accounts[i].contracts)).map(|(name, _)| name.index());
                self.columns.seat_full(account, names.collect());
            }
        }
    }

    /// Judges one account in full and seats it for the next epochs.
    fn judge(&mut self, i: usize, settle: bool, market: &Market) {
        let from = self.hot[i].tier;
        let lines = self.terms.ladder(self.hot[i].terms).lines;
        let (assets, debts, to) = self.verdict(i, settle, &lines, market);
        if from != to {
            self.put_aside(i, market);
        }
        self.set_tier(i, to);
        self.seat(i, market);
        if from != to {
            self.change(i, (from, to), (assets, debts), settle, &lines, market);
        }
    }

    /// Judges an account that nothing but prices moved, from its row and its line of memory alone;
    /// gives back one that inputs moved too, or whose debts have left the fast path's range.
    fn cross(&mut self, i: usize, market: &Market) -> bool {
        let (account, hot, seat) = (i as u32, &self.hot[i], self.columns.seats[i]);
        let (from, debts) = (hot.tier, hot.debts);
        if debts <= 0 || debts >= NARROW_MONEY || self.columns.bounds(seat) == Bounds::VOID {
            return false;
        }
        let words = self.columns.words(seat);
        let value = market.prices.value(words);
        let assets = i128::from(hot.fixed + value);
        let ladder = self.terms.ladder(hot.terms);
        let to = judge(&ladder.lines, from, assets, debts.into(), false);
        let bounds = hot.bounds(&ladder.stays[to as usize]);
        if from != to {
            let line = boundary(&ladder.lines, from, to);
            let cause = Journal::by_prices(words, to > from, &self.deltas, market);
            self.put_aside(i, market);
            self.set_tier(i, to);
            if let Some(news) = self.news(i, from, market) {
                let account = self.hot[i].name;
                let (assets, debts, settlement, count) = (Some(assets), debts.into(), false, 0);
                let changed =
                    TierChanged { account, count, from, to, assets, debts, line, settlement, cause };
                self.tell(i, changed, news);
            }
        }
        self.columns.rebound(account, value, bounds);
        true
    }

    /// A, D and the tier of an account; one without a ratio is given the kind that is judged in full.
    fn verdict(
        &mut self,
        i: usize,
        settle: bool,
        lines: &Lines,
        market: &Market,
    ) -> (Option<i128>, i128, Tier) {
        if self.accounts[i].contracts.is_empty() {
            self.hot[i].kind = Kind::Nowhere;
            return (None, 0, Tier::None);
        }
        let exact = market.giants > 0 || market.vanished;
        if self.hot[i].kind == Kind::Words && !exact && self.hot[i].debts < NARROW_MONEY {
            let hot = &self.hot[i];
            let value = if self.columns.kind(i as u32) == Kind::Words {
                self.columns.value(i as u32, &market.prices).0
            } else {
                market.prices.worth(self.holdings.iter(hot.extent))
            };
            let (assets, debts) = (i128::from(hot.fixed + value), i128::from(hot.debts));
            if debts > 0 {
                return (Some(assets), debts, judge(lines, hot.tier, assets, debts, settle));
            }
        }
        // It may have lacked a mark, or been without debts, until now; interest may have been added.
        self.refresh(i, market);
        let (assets, debts) = self.view(i, market).assets_and_debts();
        let tier = self.hot[i].tier;
        match (assets, debts) {
            (Some(assets), Some(debts)) if debts != 0 => {
                (Some(assets), debts, judge(lines, tier, assets, debts, settle))
            }
            (Some(_), Some(_)) => {
                self.hot[i].kind = Kind::Full;
                (assets, 0, Tier::None)
            }
            _ => {
                self.leave_unmarked(i, market);
                (assets, 0, tier)
            }
        }
    }

    /// A and D of an account at the marks of a market, this one's or one that answers a question: from
    /// its row where that is exact.
    pub(crate) fn balance(&self, i: usize, market: &Market) -> (Option<i128>, Option<i128>) {
        let seat = self.columns.seats[i];
        if market.giants > 0 || !matches!(seat.kind, Kind::Words | Kind::Owing) {
            return self.view(i, market).assets_and_debts();
        }
        let words = self.columns.words(seat);
        let (held, owed) = words.split_at(words.len() - usize::from(seat.owed));
        let (held, owed) = (market.prices.value(held), market.prices.value(owed));
        self.balance_of(&self.hot[i], &Worth { account: i as u32, held, owed }, market)
    }

    /// The same for an account whose row is worth so much.
    pub(crate) fn balance_of(
        &self,
        hot: &Hot,
        worth: &Worth,
        market: &Market,
    ) -> (Option<i128>, Option<i128>) {
        // Interest may have taken debts out of the range of a row.
        if hot.debts >= NARROW_MONEY {
            return self.view(worth.account as usize, market).assets_and_debts();
        }
        (Some(i128::from(hot.fixed + worth.held)), Some(i128::from(hot.debts + worth.owed)))
    }

    /// Its tier stays what it was; whoever lacks a mark is named, and looked at again each time.
    fn leave_unmarked(&mut self, i: usize, market: &Market) {
        self.hot[i].kind = Kind::Full;
        let (held, _) = self.holdings.of(self.hot[i].extent);
        let names = held.iter().copied().chain(owed(&self.accounts[i].contracts).map(|(name, _)| name));
        self.unmarked.extend(names.filter(|&name| market.mark(name).is_none()));
    }

    fn change(
        &mut self,
        i: usize,
        (from, to): (Tier, Tier),
        (assets, debts): (Option<i128>, i128),
        settle: bool,
        lines: &Lines,
        market: &Market,
    ) {
        let Some(news) = self.news(i, from, market) else { return };
        self.catch_up(i, market);
        let line = boundary(lines, from, to);
        let accrued = self.accrued.get(i).copied().unwrap_or(false);
        let crossing = Crossing { from, to, line, lines, accrued };
        let view = self.view(i, market);
        let cause = self.journal.cause(i as u32, &crossing, &view);
        let assets = if to == Tier::None { view.assets_and_debts().0 } else { assets };
        let (account, settlement, count) = (self.hot[i].name, settle, 0);
        let changed = TierChanged { account, count, from, to, assets, debts, line, settlement, cause };
        self.tell(i, changed, news);
    }

    /// Sets the restrictions of the tier an account has moved to; none where nothing is to be told.
    fn news(&mut self, i: usize, from: Tier, market: &Market) -> Option<News> {
        let hot = &mut self.hot[i];
        let acts = market.policy.restrictions[hot.tier as usize];
        let was = std::mem::replace(&mut hot.restricted, acts);
        let news = News {
            changed: from.max(hot.tier) > Tier::Normal,
            restricted: Acts(acts.0 & !was.0),
            lifted: Acts(was.0 & !acts.0),
        };
        (news.changed || news.restricted.0 != 0 || news.lifted.0 != 0).then_some(news)
    }

    /// Gives the effects of a change of tier, which gets its counter here.
    fn tell(&mut self, i: usize, mut changed: TierChanged, news: News) {
        let (key, changes) = (i as u32, &mut self.hot[i].changes);
        let TierChanged { account, cause, .. } = changed;
        if news.changed {
            changes.tier_changed += 1;
            changed.count = changes.tier_changed;
            self.effects.push((key, Effect::TierChanged(changed)));
        }
        if news.restricted.0 != 0 {
            changes.restricted += 1;
            self.effects.push((key, Effect::Restricted(account, news.restricted, cause, changes.restricted)));
        }
        if news.lifted.0 != 0 {
            changes.lifted += 1;
            self.effects.push((key, Effect::Lifted(account, news.lifted, cause, changes.lifted)));
        }
    }
}

/// What an account's move to another tier has to tell.
#[derive(Clone, Copy)]
struct News {
    changed: bool,
    restricted: Acts,
    lifted: Acts,
}

impl Hot {
    /// The value of positions that keeps the tier, debts and the rest of A as they are.
    fn bounds(&self, stay: &Stay) -> Bounds {
        Bounds::new(self.edge(stay.worse), self.edge_or_none(stay.calm))
    }

    /// The least value of positions at which a test fails.
    fn edge(&self, test: Test) -> Money {
        clamp_i64(fails_from(test, i128::from(self.debts))).saturating_sub(self.fixed)
    }

    fn edge_or_none(&self, test: Option<Test>) -> Money {
        test.map_or(Money::MAX, |test| self.edge(test))
    }

    fn balance(&self, stay: &Stay) -> Balance {
        Balance { fixed: self.fixed, money: self.debts, worse: stay.worse, calm: stay.calm }
    }
}

/// Shares owed, contract by contract.
fn owed(contracts: &[Contract]) -> impl Iterator<Item = (SecurityName, Quantity)> + '_ {
    contracts.iter().filter(|c| !c.is_financing() && c.quantity > 0).map(|c| (c.security, c.quantity))
}
