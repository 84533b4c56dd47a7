//! The columns: what an epoch reads of the accounts that moved prices may bring over a line.
//!
//! An account with debts has a row: its positions in four bytes each (14 bits of security, 18 of
//! shares; a larger holding takes several) and the interval of their value that changes nothing.
//! Rows of one width lie side by side, so a pass over them runs at the speed of memory.
//!
//! **Levels.** Each level has a band of prices around every security. A row sits at the widest level
//! that *holds* it:
//!
//! > while every mark lies in its band, `lo ≤ Σ q·low ≤ Σ q·mark ≤ Σ q·high < hi`.
//!
//! Quantities are not negative, so the middle follows from the bands and the ends are checked in
//! integers, when the row takes its seat and whenever its bounds or a band it rests on move. Such an
//! account cannot have crossed a line, and is not touched. When a mark leaves a band, the band is
//! laid around it anew and every row of that level that holds the security is looked at. Level 0
//! has no bands: its rows are looked at whenever one of their prices moves.

use crate::input::SecurityName;
use crate::num::{Money, Quantity};
use crate::prices::{Prices, names, pack};
use crate::tiers::{Test, holds};

/// Half width of a level's bands as a right shift of the mark, narrowest first; level 0 has none.
pub(crate) const SHIFTS: [u32; LEVELS] = [u32::MAX, 6, 4, 3, 2, 1];
pub(crate) const LEVELS: usize = 6;

/// What kind of row an account has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// None: it has no contract.
    #[default]
    Nowhere,
    /// Debts stand still between inputs and every sum fits 64 bits: an interval decides.
    Words,
    /// Owes shares, so that debts move with prices; every sum fits 64 bits: two tests decide.
    Owing,
    /// Is wide, lacks a mark, or has debts of zero: judged in full.
    Full,
}

/// Where the row of an account is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seat {
    pub row: u32,
    pub width: u8,
    pub level: u8,
    pub kind: Kind,
}

/// The value of positions in `lo..hi` changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub lo: Money,
    pub hi: Money,
}

impl Bounds {
    pub(crate) fn contain(self, value: Money) -> bool {
        self.lo <= value && value < self.hi
    }

    /// Whether all values between two lie in it.
    pub(crate) fn within(self, least: Money, most: Money) -> bool {
        self.lo <= least && most < self.hi
    }

    /// How far a value inside may move either way.
    pub(crate) fn slack(self, value: Money) -> Money {
        value.saturating_sub(self.lo).min(self.hi.saturating_sub(1).saturating_sub(value))
    }
}

/// The row of an account whose debts move with prices.
#[derive(Clone, Debug)]
pub(crate) struct Owing {
    pub account: u32,
    /// Cash, receivables and other collateral.
    pub fixed: Money,
    /// Principal, interest and fees.
    pub money: Money,
    /// The test that must fail, and the one that must hold (none at `normal`).
    pub worse: Test,
    pub calm: Option<Test>,
    /// What is held and what is owed, in words.
    pub held: Box<[u32]>,
    pub owed: Box<[u32]>,
}

impl Owing {
    /// Whether the tier stays at all prices between two tables: the worst case of a test that must
    /// fail is the least A against the greatest D, of one that must hold the other way round.
    pub(crate) fn stays(&self, low: &Prices, high: &Prices) -> bool {
        let assets = |at: &Prices| i128::from(self.fixed.wrapping_add(at.value(&self.held)));
        let debts = |at: &Prices| i128::from(self.money.wrapping_add(at.value(&self.owed)));
        debts(low) > 0
            && !holds(self.worse, assets(low), debts(high))
            && self.calm.is_none_or(|test| holds(test, assets(high), debts(low)))
    }

    pub(crate) fn names(&self) -> Vec<usize> {
        let mut names: Vec<usize> = names(&self.held).chain(names(&self.owed)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The row of an account that is judged in full: what it holds and owes.
#[derive(Clone, Debug)]
pub(crate) struct Full {
    pub account: u32,
    pub names: Box<[usize]>,
}

/// Rows of words of one width at one level.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    pub accounts: Vec<u32>,
    pub bounds: Vec<Bounds>,
    pub words: Vec<u32>,
}

/// Who holds or owes a security among the rows of a level.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// Accounts by security; some have gone since, some stand twice.
    pub lists: Vec<Vec<u32>>,
    /// How many accounts of each list still stand.
    pub live: Vec<u32>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Level {
    pub low: Prices,
    pub high: Prices,
    /// By width.
    pub groups: Vec<Group>,
    pub owing: Vec<Owing>,
    pub full: Vec<Full>,
    pub rows: u64,
    pub index: Option<Index>,
    /// Looks that lists would have saved since there were any.
    pub credit: u64,
}

/// How an epoch looks at the rows of a level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// All of them, after the bands of all securities were laid anew.
    Rows,
    /// Those that hold or owe one of these.
    Holders(Vec<SecurityName>),
}

/// Which way the engine looks for the accounts that moved prices brought over a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paths {
    /// By cost.
    #[default]
    Auto,
    /// A plain pass over every account with debts, nothing skipped.
    Sweep,
    /// Only through the lists of who holds what.
    Holders,
}

/// What moved prices made the columns do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Looked {
    /// Rows looked at.
    pub rows: u64,
    /// Levels passed over in whole, and through lists.
    pub passes: u32,
    pub lists: u32,
}

/// Bytes that the rows use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnBytes {
    /// Securities held or owed, row by row.
    pub positions: u64,
    /// What is held and owed.
    pub words: u64,
    /// What is tested.
    pub bounds: u64,
    /// Which account a row is of, and where the row of an account is.
    pub accounts: u64,
    /// Lists of who holds what, as far as there are any.
    pub lists: u64,
}

/// The columns of a lane.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    pub paths: Paths,
    pub seats: Vec<Seat>,
    pub levels: Vec<Level>,
    /// Rows by security, all levels together.
    pub holders: Vec<u32>,
    pub rows: u64,
    /// Accounts a look has found, and marks of those that a list has named already.
    pub found: Vec<u32>,
    pub seen: Vec<bool>,
}

impl Default for Columns {
    fn default() -> Self {
        Columns {
            paths: Paths::Auto,
            seats: Vec::new(),
            levels: vec![Level::default(); LEVELS],
            holders: Vec::new(),
            rows: 0,
            found: Vec::new(),
            seen: Vec::new(),
        }
    }
}

impl Columns {
    /// Makes room for one more account.
    pub(crate) fn add(&mut self) {
        self.seats.push(Seat::default());
        self.seen.push(false);
    }

    /// Adds what the rows use.
    pub(crate) fn add_bytes(&self, to: &mut ColumnBytes) {
        to.accounts += size_of_val(&*self.seats) as u64;
        for of in &self.levels {
            for (width, group) in of.groups.iter().enumerate() {
                let rows = group.words.chunks(width.max(1));
                to.positions += rows.map(|row| names(row).count() as u64).sum::<u64>();
                to.words += size_of_val(&*group.words) as u64;
                to.bounds += size_of_val(&*group.bounds) as u64;
                to.accounts += size_of_val(&*group.accounts) as u64;
            }
            for owing in &of.owing {
                to.positions += owing.names().len() as u64;
                to.words += (size_of_val(&*owing.held) + size_of_val(&*owing.owed)) as u64;
                to.bounds += size_of::<Owing>() as u64;
            }
            for full in &of.full {
                to.positions += full.names.len() as u64;
                to.words += (size_of::<Full>() + size_of_val(&*full.names)) as u64;
            }
            for list in of.index.iter().flat_map(|index| &index.lists) {
                to.lists += size_of_val(&**list) as u64;
            }
        }
    }

    pub(crate) fn kind(&self, account: u32) -> Kind {
        self.seats[account as usize].kind
    }

    pub(crate) fn words(&self, seat: Seat) -> &[u32] {
        let (row, width) = (seat.row as usize, seat.width as usize);
        &self.levels[seat.level as usize].groups[width].words[row * width..(row + 1) * width]
    }

    /// Value and bounds of a row of words.
    pub(crate) fn value(&self, account: u32, marks: &Prices) -> (Money, Bounds) {
        let seat = self.seats[account as usize];
        let group = &self.levels[seat.level as usize].groups[seat.width as usize];
        (marks.value(self.words(seat)), group.bounds[seat.row as usize])
    }

    /// Seats an account with a row of words.
    pub(crate) fn seat_words(
        &mut self,
        account: u32,
        holdings: impl Iterator<Item = (SecurityName, Quantity)>,
        bounds: Bounds,
        marks: &Prices,
    ) {
        let words = pack(holdings);
        let level = self.level_for(&words, marks.value(&words), bounds);
        self.count(names(&words), 1);
        self.put_words(account, level, &words, bounds);
    }

    /// Gives a row of words new bounds, which contain its value, and the widest level that holds it.
    pub(crate) fn rebound(&mut self, account: u32, value: Money, bounds: Bounds) {
        let seat = self.seats[account as usize];
        let level = self.level_for(self.words(seat), value, bounds);
        if level == seat.level as usize {
            self.set_bounds(seat, bounds);
            return;
        }
        let words = self.words(seat).to_vec();
        self.leave(seat.level as usize, names(&words));
        self.vacate(account);
        self.put_words(account, level, &words, bounds);
    }

    fn set_bounds(&mut self, seat: Seat, bounds: Bounds) {
        let group = &mut self.levels[seat.level as usize].groups[seat.width as usize];
        group.bounds[seat.row as usize] = bounds;
    }

    /// The inequality of a level, for a row of words whose value is within its bounds.
    fn holds(&self, level: usize, words: &[u32], bounds: Bounds) -> bool {
        let of = &self.levels[level];
        level == 0 || bounds.within(of.low.value(words), of.high.value(words))
    }

    /// The widest level that holds a row, by its distance from its bounds.
    fn level_for(&self, words: &[u32], value: Money, bounds: Bounds) -> usize {
        let slack = bounds.slack(value);
        if self.paths == Paths::Sweep || slack < 0 {
            return 0;
        }
        // A band of half width `mark >> shift` moves the value by at most `value >> shift`.
        let room = (1..LEVELS).rev().find(|&level| value >> SHIFTS[level] <= slack);
        (1..=room.unwrap_or(0)).rev().find(|&level| self.holds(level, words, bounds)).unwrap_or(0)
    }

    fn put_words(&mut self, account: u32, level: usize, words: &[u32], bounds: Bounds) {
        let of = &mut self.levels[level];
        if of.groups.len() <= words.len() {
            of.groups.resize_with(words.len() + 1, Group::default);
        }
        let group = &mut of.groups[words.len()];
        let row = group.accounts.len() as u32;
        group.accounts.push(account);
        group.bounds.push(bounds);
        group.words.extend_from_slice(words);
        self.seated(account, Seat { row, width: words.len() as u8, level: level as u8, kind: Kind::Words });
        self.join(account, level, names(words));
    }

    /// Seats an account that owes shares, in the place of the row it had.
    pub(crate) fn seat_owing(&mut self, owing: Owing, marks: &Prices) {
        let account = owing.account;
        self.remove(account);
        let level = self.level_of_owing(&owing, marks);
        self.count(owing.names().into_iter(), 1);
        self.put_owing(level, owing);
    }

    pub(crate) fn put_owing(&mut self, level: usize, owing: Owing) {
        let (account, names) = (owing.account, owing.names());
        let row = self.levels[level].owing.len() as u32;
        self.levels[level].owing.push(owing);
        self.seated(account, Seat { row, width: 0, level: level as u8, kind: Kind::Owing });
        self.join(account, level, names.into_iter());
    }

    pub(crate) fn level_of_owing(&self, owing: &Owing, marks: &Prices) -> usize {
        if self.paths == Paths::Sweep || !owing.stays(marks, marks) {
            return 0;
        }
        let holds = |level: &usize| owing.stays(&self.levels[*level].low, &self.levels[*level].high);
        (1..LEVELS).rev().find(holds).unwrap_or(0)
    }

    /// Seats an account that is judged in full whenever one of these moves.
    pub(crate) fn seat_full(&mut self, account: u32, mut names: Vec<usize>) {
        self.remove(account);
        names.sort_unstable();
        names.dedup();
        self.count(names.iter().copied(), 1);
        let row = self.levels[0].full.len() as u32;
        self.levels[0].full.push(Full { account, names: names.clone().into() });
        self.seated(account, Seat { row, width: 0, level: 0, kind: Kind::Full });
        self.join(account, 0, names.into_iter());
    }

    fn seated(&mut self, account: u32, seat: Seat) {
        self.seats[account as usize] = seat;
        self.levels[seat.level as usize].rows += 1;
        self.rows += 1;
    }

    /// The securities of an account's row, each once.
    pub(crate) fn names_of(&self, account: u32) -> Vec<usize> {
        let seat = self.seats[account as usize];
        let (of, row) = (&self.levels[seat.level as usize], seat.row as usize);
        match seat.kind {
            Kind::Nowhere => Vec::new(),
            Kind::Words => names(self.words(seat)).collect(),
            Kind::Owing => of.owing[row].names(),
            Kind::Full => of.full[row].names.to_vec(),
        }
    }

    /// Takes an account's row out, where it has one.
    pub(crate) fn remove(&mut self, account: u32) {
        let seat = self.seats[account as usize];
        if seat.kind != Kind::Nowhere {
            let names = self.names_of(account);
            self.count(names.iter().copied(), -1);
            self.leave(seat.level as usize, names.into_iter());
            self.vacate(account);
        }
    }

    fn count(&mut self, names: impl Iterator<Item = usize>, by: i32) {
        for name in names {
            if self.holders.len() <= name {
                self.holders.resize(name + 1, 0);
            }
            self.holders[name] = self.holders[name].wrapping_add_signed(by);
        }
    }

    /// Takes the row out and fills its place with the last one of its kind.
    pub(crate) fn vacate(&mut self, account: u32) {
        let seat = std::mem::take(&mut self.seats[account as usize]);
        let of = &mut self.levels[seat.level as usize];
        let (row, width) = (seat.row as usize, seat.width as usize);
        of.rows -= 1;
        self.rows -= 1;
        let moved = match seat.kind {
            Kind::Nowhere => None,
            Kind::Words => {
                let group = &mut of.groups[width];
                let last = group.accounts.len() - 1;
                group.accounts.swap_remove(row);
                group.bounds.swap_remove(row);
                group.words.copy_within(last * width.., row * width);
                group.words.truncate(last * width);
                group.accounts.get(row).copied()
            }
            Kind::Owing => {
                of.owing.swap_remove(row);
                of.owing.get(row).map(|owing| owing.account)
            }
            Kind::Full => {
                of.full.swap_remove(row);
                of.full.get(row).map(|full| full.account)
            }
        };
        if let Some(moved) = moved {
            self.seats[moved as usize].row = seat.row;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_at_their_ends_and_not_one_unit_beyond() {
        let bounds = Bounds { lo: 10, hi: 20 };
        for (least, most, holds) in [(10, 19, true), (9, 19, false), (10, 20, false), (15, 15, true)] {
            assert_eq!(bounds.within(least, most), holds, "{least} to {most}");
        }
        for (value, inside) in [(9, false), (10, true), (19, true), (20, false)] {
            assert_eq!(bounds.contain(value), inside, "{value}");
        }
        assert_eq!([10, 12, 19].map(|value| bounds.slack(value)), [0, 2, 0]);
        assert!(bounds.slack(9) < 0 && bounds.slack(20) < 0);
    }
}
