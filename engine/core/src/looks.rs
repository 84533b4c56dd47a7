//! Looks: how the columns find the accounts that moved prices brought over a line.
//!
//! Level by level the engine takes the cheaper way: one pass over all rows of the level, or the
//! lists of who holds what for the securities whose marks have left their bands. Both find the same
//! accounts; a level none of whose bands was left is not looked at at all.

use crate::columns::{
    Balance, Bounds, Columns, Group, Index, Kind, LEVELS, Level, Look, Looked, Paths, SHIFTS, Seat, Shape,
    names_of_row, spread,
};
use crate::input::SecurityName;
use crate::market::Market;
use crate::num::Money;
use crate::prices::{NAMES, Prices, names};

/// A look at a row through a list costs about as much as so many of them in a pass.
const LIST_COST: u64 = 12;
/// Rows of a pass that stay near the processor until those it wants have been looked at.
const BLOCK: usize = 512;
/// Rows whose accounts are read together.
const GATHER: usize = 64;
/// Building the lists of a level costs about as much as so many passes over it.
const BUILD_COST: u64 = 16;

/// What an account holds and owes at some prices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worth {
    pub account: u32,
    pub held: Money,
    pub owed: Money,
}

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

    /// Lays every band around the marks as they are; the caller checks every row against them.
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

    /// One pass over the rows of a level whose bands were all laid anew: their ends follow from the
    /// value at the marks ([`spread`]), so that a row is read once and against one table.
    fn pass(&mut self, level: usize, market: &Market, found: &mut Vec<u32>) {
        let mut wanted = std::mem::take(&mut self.wanted);
        // Nothing moves to another level where there are none.
        let sweeps = self.paths == Paths::Sweep;
        let wider = (!sweeps && level + 1 < LEVELS).then(|| SHIFTS[level + 1] - 1);
        // Where few rows are wanted, one long block runs best.
        let most = if sweeps { usize::MAX } else { BLOCK };
        for width in 0..self.levels[level].groups.len() {
            // From the last block to the first, and backwards within each: a row that leaves is
            // replaced by one that was passed already.
            let mut end = self.levels[level].groups[width].accounts.len();
            while end > 0 {
                let start = end.saturating_sub(most);
                let group = &self.levels[level].groups[width];
                group.pass(width, start..end, &market.prices, SHIFTS[level], wider, &mut wanted);
                // Those that leave, and those that take their places.
                let last = group.accounts.iter().rev().zip(&wanted).map(|(&account, _)| account);
                self.fetch(wanted.iter().map(|&row| group.accounts[row as usize]).chain(last));
                while let Some(row) = wanted.pop() {
                    let account = self.levels[level].groups[width].accounts[row as usize];
                    self.look_at(account, &market.prices, found);
                }
                end = start;
            }
        }
        let of = &self.levels[level];
        for (&shape, group) in &of.owing {
            group.pass_owing(shape, &market.prices, SHIFTS[level], wider, &mut wanted);
        }
        wanted.extend(of.full.iter().map(|full| full.account));
        for &account in &wanted {
            self.look_at(account, &market.prices, found);
        }
        wanted.clear();
        self.wanted = wanted;
    }

    /// Reads the seats of accounts and nothing else, so that many are on their way from memory at once.
    pub(crate) fn fetch(&self, accounts: impl Iterator<Item = u32>) {
        let read = accounts.fold(0, |read: u32, account| read ^ self.seats[account as usize].row);
        std::hint::black_box(read);
    }

    /// Looks at the rows of a level that a list names; gives how many. Some no longer hold the
    /// security: a look at them finds nothing.
    fn walk(&mut self, level: usize, name: SecurityName, market: &Market, found: &mut Vec<u32>) -> u64 {
        let Some(mut list) = self.levels[level].index.as_mut().and_then(|index| index.take(name.index()))
        else {
            return 0;
        };
        let mut looked = 0;
        let here = |seats: &[Seat], account: u32| {
            let seat = seats[account as usize];
            usize::from(seat.level) == level && seat.kind != Kind::Nowhere
        };
        let mut kept = 0;
        for first in (0..list.len()).step_by(GATHER) {
            let block = first..(first + GATHER).min(list.len());
            self.fetch(list[block.clone()].iter().copied());
            let words = |&account: &u32| self.words(self.seats[account as usize]).first().copied();
            std::hint::black_box(
                list[block.clone()].iter().filter_map(words).fold(0, |read, word| read ^ word),
            );
            for k in block {
                let account = list[k];
                if here(&self.seats, account) {
                    looked += 1;
                    self.look_at(account, &market.prices, found);
                }
                if here(&self.seats, account) {
                    list[kept] = account;
                    kept += 1;
                }
            }
        }
        list.truncate(kept);
        if let Some(index) = &mut self.levels[level].index {
            index.give_back(name.index(), list);
        }
        looked
    }

    /// Whether an entry of a list still says the truth.
    fn stands(&self, account: u32, level: usize, name: usize) -> bool {
        let seat = self.seats[account as usize];
        usize::from(seat.level) == level
            && match seat.kind {
                Kind::Nowhere => false,
                Kind::Words | Kind::Owing => {
                    self.words(seat).iter().any(|&word| word as usize & (NAMES - 1) == name)
                }
                Kind::Full => self.levels[level].full[seat.row as usize].names.contains(&name),
            }
    }

    /// Tests one row exactly at the marks; one that stays is given the widest level that holds it,
    /// a wider one than its own only where there is room for twice its band.
    fn look_at(&mut self, account: u32, marks: &Prices, found: &mut Vec<u32>) {
        let seat = self.seats[account as usize];
        let (words, at) = (self.words(seat), usize::from(seat.level));
        let level = match seat.kind {
            Kind::Nowhere => return,
            Kind::Words => {
                let (value, bounds) = (marks.value(words), self.bounds(seat));
                if !bounds.contain(value) {
                    found.push(account);
                    return;
                }
                let room = SHIFTS.get(at + 1).is_some_and(|&next| bounds.slack(value) >= value >> (next - 1));
                self.level_for(words, value, bounds, if room { LEVELS - 1 } else { at })
            }
            Kind::Owing => {
                let held = words.len() - usize::from(seat.owed);
                let balance = self.levels[at].owing[&(seat.width, seat.owed)].keeps[seat.row as usize];
                if !balance.stays_at(words, held, marks) {
                    found.push(account);
                    return;
                }
                self.level_of_owing(words, held, &balance, marks)
            }
            Kind::Full => {
                found.push(account);
                return;
            }
        };
        if level != at {
            self.move_to(account, level);
        }
    }

    /// Gives every row what keeps its tier now, all bands having been laid anew: what it is seated
    /// with, and what it must pass besides. Finds the rows that do not, and all that have no words.
    pub(crate) fn keep<T: Copy>(
        &mut self,
        marks: &Prices,
        by_account: &[T],
        (bounds_of, balance_of): (
            impl Fn(&T) -> Option<(Bounds, Bounds)>,
            impl Fn(&T) -> Option<(Balance, Balance)>,
        ),
        found: &mut Vec<u32>,
    ) {
        let mut moving = Vec::new();
        let levels = if self.paths == Paths::Sweep { 1 } else { LEVELS };
        for (level, of) in self.levels.iter_mut().enumerate() {
            let (own, wider) = (SHIFTS[level], SHIFTS[..levels].get(level + 1).map(|next| next - 1));
            for (width, group) in of.groups.iter_mut().enumerate() {
                group.keep(
                    width,
                    by_account,
                    found,
                    |of, words, seated: &mut Bounds| {
                        let value = marks.value(words);
                        let (bounds, _) =
                            bounds_of(of).filter(|(a, b)| a.contain(value) && b.contain(value))?;
                        *seated = bounds;
                        Some(settled(bounds, value, own, wider))
                    },
                    &mut moving,
                );
            }
            for (&(width, owed), group) in &mut of.owing {
                let held = usize::from(width - owed);
                group.keep(
                    width.into(),
                    by_account,
                    found,
                    |of, words, seated: &mut Balance| {
                        let stays = |balance: &Balance| balance.stays_at(words, held, marks);
                        let (balance, _) = balance_of(of).filter(|(a, b)| stays(a) && stays(b))?;
                        *seated = balance;
                        Some(balance.settled(words, held, marks, own, wider))
                    },
                    &mut moving,
                );
            }
            found.extend(of.full.iter().map(|full| full.account));
        }
        for account in moving {
            self.look_at(account, marks, found);
        }
    }

    fn build_index(&mut self, level: usize) {
        if self.levels[level].index.is_some() {
            return;
        }
        let mut index = Index::default();
        let of = &self.levels[level];
        for (width, group) in of.groups.iter().enumerate().filter(|(width, _)| *width > 0) {
            for (row, &account) in group.words.chunks_exact(width).zip(&group.accounts) {
                names(row).for_each(|name| index.push(name, account));
            }
        }
        for (shape, group) in &of.owing {
            for (row, &account) in group.words.chunks_exact(shape.0.into()).zip(&group.accounts) {
                names_of_row(row).into_iter().for_each(|name| index.push(name, account));
            }
        }
        for full in &of.full {
            full.names.iter().for_each(|&name| index.push(name, full.account));
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
            found.extend(of.owing.values().flat_map(|group| &group.accounts));
            found.extend(of.full.iter().map(|full| full.account));
        }
        found.retain(|&account| self.stands(account, self.seats[account as usize].level.into(), at));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Tells of accounts whose tier other prices than the marks may change, and of what they hold and
    /// owe at these, block by block; gives those that only a full judgement tells.
    pub(crate) fn unsettled(&self, market: &Market, mut tell: impl FnMut(&[Worth])) -> Vec<u32> {
        let (mut others, mut wanted, mut block) = (Vec::new(), Vec::new(), Vec::new());
        let marks = &market.prices;
        for of in &self.levels {
            others.extend(of.full.iter().map(|full| full.account));
            if market.giants > 0 {
                others.extend(of.groups.iter().flat_map(|group| &group.accounts));
                others.extend(of.owing.values().flat_map(|group| &group.accounts));
                continue;
            }
            for (width, group) in of.groups.iter().enumerate() {
                for start in (0..group.accounts.len()).step_by(BLOCK) {
                    let rows = start..(start + BLOCK).min(group.accounts.len());
                    group.pass(width, rows, marks, SHIFTS[0], None, &mut wanted);
                    block.extend(wanted.drain(..).map(|row| {
                        let held = marks.value(group.row(row as usize, width));
                        Worth { account: group.accounts[row as usize], held, owed: 0 }
                    }));
                    block.chunks(GATHER).for_each(&mut tell);
                    block.clear();
                }
            }
            for (&(width, owed), group) in &of.owing {
                let rows = group.words.chunks_exact(width.into()).zip(&group.keeps).zip(&group.accounts);
                for ((words, balance), &account) in rows {
                    let (held, owed) = words.split_at(usize::from(width - owed));
                    let (held, owed) = (marks.value(held), marks.value(owed));
                    if !balance.stays((held, held), (owed, owed)) {
                        block.push(Worth { account, held, owed });
                    }
                }
            }
            block.chunks(GATHER).for_each(&mut tell);
            block.clear();
        }
        others
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

/// Whether a row is at the level for its distance from its bounds: it lies within the band, and has no
/// room for twice the next one's.
#[inline(always)]
fn settled(bounds: Bounds, value: Money, own: u32, wider: Option<u32>) -> bool {
    let slack = bounds.slack(value);
    // Without a branch a row: no slack is as large as the mask of no next level.
    let (shift, never) = wider.map_or((0, Money::MAX), |wider| (wider, 0));
    slack >= value >> own && slack < (value >> shift | never)
}

impl<T> Group<T> {
    /// Gives each row what keeps its tier now; `seat` tells whether the row is at its level, or finds
    /// that the tier does not stay.
    fn keep<A: Copy>(
        &mut self,
        width: usize,
        by_account: &[A],
        found: &mut Vec<u32>,
        seat: impl Fn(&A, &[u32], &mut T) -> Option<bool>,
        moving: &mut Vec<u32>,
    ) {
        let mut block = Vec::with_capacity(GATHER);
        for (first, accounts) in (0..).step_by(GATHER).zip(self.accounts.chunks(GATHER)) {
            // Nothing but loads, so that many are on their way from memory at once.
            block.clear();
            block.extend(accounts.iter().map(|&account| by_account[account as usize]));
            for (row, (&account, of)) in (first..).zip(accounts.iter().zip(&block)) {
                match seat(of, &self.words[row * width..(row + 1) * width], &mut self.keeps[row]) {
                    Some(true) => {}
                    Some(false) => moving.push(account),
                    None => found.push(account),
                }
            }
        }
    }
}

impl Balance {
    /// As [`settled`], for a row with so many words held.
    fn settled(&self, words: &[u32], held: usize, marks: &Prices, own: u32, wider: Option<u32>) -> bool {
        let (held, owed) = (marks.value(&words[..held]), marks.value(&words[held..]));
        let stays = |shift| self.stays(spread(held, shift), spread(owed, shift));
        stays(own) && !wider.is_some_and(stays)
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

impl Group<Bounds> {
    /// Names the rows of a range that are not at the level of a band, were it laid at these prices.
    fn pass(
        &self,
        width: usize,
        range: std::ops::Range<usize>,
        marks: &Prices,
        own: u32,
        wider: Option<u32>,
        wanted: &mut Vec<u32>,
    ) {
        let words = &self.words[range.start * width..range.end * width];
        let keeps = &self.keeps[range.clone()];
        by_width!(width, words, |rows| {
            for (row, (words, &bounds)) in (range.start as u32..).zip(rows.zip(keeps)) {
                if !settled(bounds, marks.value(words), own, wider) {
                    wanted.push(row);
                }
            }
        }, 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24);
    }
}

impl Group<Balance> {
    /// Names the accounts whose rows are not at the level of a band, were it laid at these prices.
    fn pass_owing(
        &self,
        (width, owed): Shape,
        marks: &Prices,
        own: u32,
        wider: Option<u32>,
        wanted: &mut Vec<u32>,
    ) {
        let rows = self.words.chunks_exact(width.into());
        for ((words, balance), &account) in rows.zip(&self.keeps).zip(&self.accounts) {
            if !balance.settled(words, usize::from(width - owed), marks, own, wider) {
                wanted.push(account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PolicyDraft;
    use crate::rules::Rules;

    #[test]
    fn a_pass_finds_every_row_wherever_its_block_ends() {
        let rules = Rules::default();
        let policy = PolicyDraft::default().resolve(&rules).expect("the default policy");
        let mut market = Market::new(policy, rules);
        market.prices.set(SecurityName(0), 1);
        for rows in [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1] {
            let mut columns = Columns::default();
            for account in 0..rows as u32 {
                columns.add();
                let holdings = [(SecurityName(0), 1)].into_iter();
                columns.seat_words(account, holdings, Bounds::new(1 << 30, Money::MAX), &market.prices);
            }
            let mut found = Vec::new();
            columns.pass(0, &market, &mut found);
            found.sort_unstable();
            assert!(found.into_iter().eq(0..rows as u32), "of {rows}");
        }
    }
}
