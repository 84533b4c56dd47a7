//! Looks: how the columns find the accounts that moved prices brought over a line.
//!
//! Level by level the engine takes the cheaper way: one pass over all rows of the level, or the
//! lists of who holds what for the securities whose marks have left their bands. Both find the same
//! accounts; a level none of whose bands was left is not looked at at all.

use crate::columns::{
    Bounds, Columns, Group, Index, Kind, LEVELS, Level, Look, Looked, Owing, Paths, SHIFTS,
};
use crate::input::SecurityName;
use crate::market::Market;
use crate::prices::{NAMES, Prices};

/// A look at a row through a list costs about as much as so many of them in a pass.
const LIST_COST: u64 = 12;
/// Rows whose accounts are read together.
const BLOCK: usize = 64;
/// Building the lists of a level costs about as much as so many passes over it.
const BUILD_COST: u64 = 16;

impl Columns {
    /// Finds, after the moves of an epoch, every account that may have crossed a line: those that
    /// did, and those that are judged in full and hold something that moved. Some may be named twice.
    pub(crate) fn find(&mut self, market: &Market, found: &mut Vec<u32>) -> Looked {
        let mut looked = Looked::default();
        for (level, look) in self.plan(market) {
            match look {
                Look::Rows => {
                    looked.passes += 1;
                    looked.rows += self.levels[level].rows;
                    self.pass(level, market, found);
                }
                Look::Holders(left) => {
                    looked.lists += 1;
                    self.build_index(level);
                    for name in left {
                        looked.rows += self.walk(level, name, market, found);
                    }
                }
            }
        }
        looked
    }

    /// Decides how each level is looked at, and lays anew the bands that marks have left: before
    /// any row is looked at, so that a row that changes its level is held by the new ones.
    fn plan(&mut self, market: &Market) -> Vec<(usize, Look)> {
        let mut looks = Vec::new();
        for level in 0..LEVELS {
            let left = self.left(level, market);
            if left.is_empty() {
                continue;
            }
            let look = self.choose(level, left);
            let of = &mut self.levels[level];
            match &look {
                Look::Rows => {
                    market.listed.iter().for_each(|&name| of.lay_band(level, name, &market.prices));
                }
                Look::Holders(left) => {
                    left.iter().for_each(|&name| of.lay_band(level, name, &market.prices));
                }
            }
            if of.rows > 0 {
                looks.push((level, look));
            }
        }
        looks
    }

    /// The securities whose marks have left their band of a level.
    fn left(&self, level: usize, market: &Market) -> Vec<SecurityName> {
        let of = &self.levels[level];
        let outside = |name: &SecurityName| {
            let mark = market.prices.of(*name);
            level == 0 || mark < of.low.of(*name) || mark > of.high.of(*name)
        };
        market.moves.iter().map(|moved| moved.security).filter(outside).collect()
    }

    /// Lays anew the bands that marks have left; the caller checks every row against them.
    pub(crate) fn lay_bands(&mut self, market: &Market) {
        for level in 1..LEVELS {
            for name in self.left(level, market) {
                self.levels[level].lay_band(level, name, &market.prices);
            }
        }
    }

    /// Lays every band around the marks as they are, before the first row takes its seat.
    pub(crate) fn lay_all_bands(&mut self, market: &Market) {
        for (level, of) in self.levels.iter_mut().enumerate() {
            market.listed.iter().for_each(|&name| of.lay_band(level, name, &market.prices));
        }
    }

    /// The cheaper look. Lists are built once the looks they would have saved would have paid for
    /// them, and given up when a pass over all rows is cheaper.
    fn choose(&mut self, level: usize, left: Vec<SecurityName>) -> Look {
        let of = &mut self.levels[level];
        let count = |counts: &[u32], name: &SecurityName| {
            counts.get(name.index()).map_or(0, |&count| u64::from(count))
        };
        let looks: u64 = match &of.index {
            Some(index) => left.iter().map(|name| count(&index.live, name)).sum(),
            None => {
                let all: u64 = left.iter().map(|name| count(&self.holders, name)).sum();
                // As if the holders were spread over the levels like everybody.
                (u128::from(all) * u128::from(of.rows) / u128::from(self.rows.max(1))) as u64
            }
        };
        let cheap = match self.paths {
            Paths::Auto => looks * LIST_COST <= of.rows,
            Paths::Sweep => false,
            Paths::Holders => true,
        };
        if !cheap {
            (of.index, of.credit) = (None, 0);
            return Look::Rows;
        }
        of.credit += of.rows - (looks * LIST_COST).min(of.rows);
        if of.index.is_some() || self.paths == Paths::Holders || of.credit > of.rows * BUILD_COST {
            Look::Holders(left)
        } else {
            Look::Rows
        }
    }

    /// One pass over the rows of a level whose bands were all laid anew.
    fn pass(&mut self, level: usize, market: &Market, found: &mut Vec<u32>) {
        let mut candidates = std::mem::take(&mut self.found);
        let of = &self.levels[level];
        // Nothing moves to another level where there are none.
        let wider = (self.paths != Paths::Sweep && level + 1 < LEVELS).then(|| SHIFTS[level + 1] - 1);
        for (width, group) in of.groups.iter().enumerate() {
            if level == 0 {
                group.pass_exactly(width, &market.prices, wider, &mut candidates);
            } else {
                group.pass_within(width, &of.low, &of.high, wider, &mut candidates);
            }
        }
        let (low, high) = if level == 0 { (&market.prices, &market.prices) } else { (&of.low, &of.high) };
        for owing in &of.owing {
            let room =
                wider.is_some() && owing.stays(&self.levels[level + 1].low, &self.levels[level + 1].high);
            if room || !owing.stays(low, high) {
                candidates.push(owing.account);
            }
        }
        candidates.extend(of.full.iter().map(|full| full.account));
        for &account in &candidates {
            self.look_at(account, market, found);
        }
        candidates.clear();
        self.found = candidates;
    }

    /// Looks at the rows of a level that hold a security; gives how many.
    fn walk(&mut self, level: usize, name: SecurityName, market: &Market, found: &mut Vec<u32>) -> u64 {
        let Some(list) = self.levels[level].index.as_mut().and_then(|index| index.take(name.index())) else {
            return 0;
        };
        let mut kept = Vec::with_capacity(list.len());
        let mut looked = 0;
        for account in list {
            if self.stands(account, level, name.index()) && !self.seen[account as usize] {
                looked += 1;
                self.look_at(account, market, found);
                if usize::from(self.seats[account as usize].level) == level {
                    self.seen[account as usize] = true;
                    kept.push(account);
                }
            }
        }
        kept.iter().for_each(|&account| self.seen[account as usize] = false);
        if let Some(index) = &mut self.levels[level].index {
            index.give_back(name.index(), kept);
        }
        looked
    }

    /// Whether an entry of a list still says the truth.
    fn stands(&self, account: u32, level: usize, name: usize) -> bool {
        let seat = self.seats[account as usize];
        let (of, row) = (&self.levels[level], seat.row as usize);
        usize::from(seat.level) == level
            && match seat.kind {
                Kind::Nowhere => false,
                Kind::Words => self.words(seat).iter().any(|&word| word as usize & (NAMES - 1) == name),
                Kind::Owing => of.owing[row].names().contains(&name),
                Kind::Full => of.full[row].names.contains(&name),
            }
    }

    /// Tests one row exactly at the marks; one that stays is given the widest level that holds it.
    fn look_at(&mut self, account: u32, market: &Market, found: &mut Vec<u32>) {
        match self.kind(account) {
            Kind::Nowhere => {}
            Kind::Words => {
                let (value, bounds) = self.value(account, &market.prices);
                if bounds.contain(value) {
                    self.rebound(account, value, bounds);
                } else {
                    found.push(account);
                }
            }
            Kind::Owing => {
                let seat = self.seats[account as usize];
                let owing = &self.levels[usize::from(seat.level)].owing[seat.row as usize];
                if !owing.stays(&market.prices, &market.prices) {
                    found.push(account);
                    return;
                }
                let level = self.level_of_owing(owing, &market.prices);
                if level != usize::from(seat.level) {
                    let owing = owing.clone();
                    self.leave(usize::from(seat.level), owing.names().into_iter());
                    self.vacate(account);
                    self.put_owing(level, owing);
                }
            }
            Kind::Full => found.push(account),
        }
    }

    /// Gives every row of words that keeps its tier its bounds of now: those it is seated with, and
    /// those it must lie in besides. Finds the rows that do not, and all rows of other kinds.
    pub(crate) fn keep<T: Copy>(
        &mut self,
        marks: &Prices,
        by_account: &[T],
        bounds_of: impl Fn(&T) -> Option<(Bounds, Bounds)>,
        found: &mut Vec<u32>,
    ) {
        let mut moving = Vec::new();
        let mut block = Vec::with_capacity(BLOCK);
        for (level, of) in self.levels.iter_mut().enumerate() {
            let (low, high) = if level == 0 { (marks, marks) } else { (&of.low, &of.high) };
            for (width, group) in of.groups.iter_mut().enumerate() {
                for first in (0..group.accounts.len()).step_by(BLOCK) {
                    let accounts = &group.accounts[first..(first + BLOCK).min(group.accounts.len())];
                    // Nothing but loads, so that many are on their way from memory at once.
                    block.clear();
                    block.extend(accounts.iter().map(|&account| by_account[account as usize]));
                    for (row, (&account, of)) in (first..).zip(accounts.iter().zip(&block)) {
                        let words = &group.words[row * width..(row + 1) * width];
                        let (least, most) = (low.value(words), high.value(words));
                        match bounds_of(of) {
                            Some((bounds, and)) if bounds.within(least, most) && and.within(least, most) => {
                                group.bounds[row] = bounds;
                            }
                            Some((bounds, and)) => moving.push((account, bounds, and)),
                            None => found.push(account),
                        }
                    }
                }
            }
            found.extend(of.owing.iter().map(|owing| owing.account));
            found.extend(of.full.iter().map(|full| full.account));
        }
        for (account, bounds, and) in moving {
            let (value, _) = self.value(account, marks);
            if bounds.contain(value) && and.contain(value) {
                self.rebound(account, value, bounds);
            } else {
                found.push(account);
            }
        }
    }

    fn build_index(&mut self, level: usize) {
        if self.levels[level].index.is_some() {
            return;
        }
        let of = &self.levels[level];
        let accounts = of.groups.iter().flat_map(|group| group.accounts.iter().copied());
        let others = of.owing.iter().map(|o| o.account).chain(of.full.iter().map(|f| f.account));
        let mut index = Index::default();
        for account in accounts.chain(others) {
            self.names_of(account).into_iter().for_each(|name| index.push(name, account));
        }
        self.levels[level].index = Some(index);
    }

    /// Accounts with debts that hold or owe a security, in no order that means anything.
    pub(crate) fn who_holds(&self, name: SecurityName) -> Vec<u32> {
        let at = name.index();
        let mut found = Vec::new();
        for of in &self.levels {
            if let Some(index) = &of.index {
                // Stale and repeated entries are told below.
                found.extend(index.lists.get(at).into_iter().flatten());
                continue;
            }
            for (width, group) in of.groups.iter().enumerate().filter(|(width, _)| *width > 0) {
                let holds = |row: &[u32]| row.iter().any(|&word| word as usize & (NAMES - 1) == at);
                let rows = group.words.chunks_exact(width).zip(&group.accounts);
                found.extend(rows.filter(|(row, _)| at < NAMES && holds(row)).map(|(_, &account)| account));
            }
            found.extend(of.owing.iter().map(|owing| owing.account));
            found.extend(of.full.iter().map(|full| full.account));
        }
        found.retain(|&account| self.stands(account, self.seats[account as usize].level.into(), at));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Accounts whose tier other prices than the marks may change.
    pub(crate) fn unsettled(&self, market: &Market) -> Vec<u32> {
        let mut found = Vec::new();
        for of in &self.levels {
            for (width, group) in of.groups.iter().enumerate() {
                if market.giants > 0 {
                    found.extend(&group.accounts);
                } else {
                    group.pass_exactly(width, &market.prices, None, &mut found);
                }
            }
            let stays = |owing: &&Owing| market.giants > 0 || !owing.stays(&market.prices, &market.prices);
            found.extend(of.owing.iter().filter(stays).map(|owing| owing.account));
            found.extend(of.full.iter().map(|full| full.account));
        }
        found
    }

    /// Enters an account into the lists of its level, where there are any.
    pub(crate) fn join(&mut self, account: u32, level: usize, names: impl Iterator<Item = usize>) {
        let Some(mut index) = self.levels[level].index.take() else { return };
        for name in names {
            index.push(name, account);
            if index.lists[name].len() > 2 * index.live[name] as usize + 64 {
                index.lists[name].retain(|&account| self.stands(account, level, name));
                index.lists[name].sort_unstable();
                index.lists[name].dedup();
            }
        }
        self.levels[level].index = Some(index);
    }

    /// An account leaves its level: its entries count no more.
    pub(crate) fn leave(&mut self, level: usize, names: impl Iterator<Item = usize>) {
        if let Some(index) = &mut self.levels[level].index {
            names.for_each(|name| index.live[name] -= 1);
        }
    }
}

impl Index {
    fn push(&mut self, name: usize, account: u32) {
        if self.lists.len() <= name {
            self.lists.resize_with(name + 1, Vec::new);
            self.live.resize(name + 1, 0);
        }
        self.lists[name].push(account);
        self.live[name] += 1;
    }

    fn take(&mut self, name: usize) -> Option<Vec<u32>> {
        self.lists.get_mut(name).map(std::mem::take)
    }

    /// Gives a list back that was taken; accounts may have joined since.
    fn give_back(&mut self, name: usize, mut list: Vec<u32>) {
        list.append(&mut self.lists[name]);
        self.lists[name] = list;
    }
}

impl Level {
    fn lay_band(&mut self, level: usize, name: SecurityName, marks: &Prices) {
        if level > 0 && name.index() < NAMES {
            let mark = marks.of(name);
            let half = mark >> SHIFTS[level];
            self.low.set(name, mark - half);
            self.high.set(name, mark.saturating_add(half));
        }
    }
}

/// Calls a pass with the width of its rows known when compiling, so that no loop over words has a
/// length to guess.
macro_rules! by_width {
    ($width:expr, $words:expr, |$rows:ident| $pass:expr, $($n:literal)+) => {
        match $width {
            $($n => { let $rows = $words.as_chunks::<$n>().0.iter().map(|row| row.as_slice()); $pass })+
            0 => { let $rows = std::iter::repeat(&[][..]); $pass }
            width => { let $rows = $words.chunks_exact(width); $pass }
        }
    };
}

macro_rules! pass_by_width {
    ($group:ident, $width:ident, |$rows:ident| $pass:expr) => {
        by_width!($width, $group.words, |$rows| $pass,
            1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24)
    };
}

impl Group {
    /// Rows whose value has left its bounds, and those with room for twice a band of `wider`.
    fn pass_exactly(&self, width: usize, marks: &Prices, wider: Option<u32>, found: &mut Vec<u32>) {
        pass_by_width!(self, width, |rows| {
            for ((row, bounds), &account) in rows.zip(&self.bounds).zip(&self.accounts) {
                let value = marks.value(row);
                let room = wider.is_some_and(|shift| bounds.slack(value) >= value >> shift);
                if room || !bounds.contain(value) {
                    found.push(account);
                }
            }
        });
    }

    /// Rows that the bands, all fresh, no longer hold, and those with room for twice a band of `wider`.
    fn pass_within(
        &self,
        width: usize,
        low: &Prices,
        high: &Prices,
        wider: Option<u32>,
        found: &mut Vec<u32>,
    ) {
        pass_by_width!(self, width, |rows| {
            for ((row, bounds), &account) in rows.zip(&self.bounds).zip(&self.accounts) {
                let (least, most) = (low.value(row), high.value(row));
                // The bands are fresh, so the value at the marks is in the middle.
                let value = least + (most - least) / 2;
                let room = wider.is_some_and(|shift| bounds.slack(value) >= value >> shift);
                if room || !bounds.within(least, most) {
                    found.push(account);
                }
            }
        });
    }
}
