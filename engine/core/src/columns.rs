//! The columns: what an epoch reads of the accounts that moved prices may bring over a line.
//!
//! An account with debts has a row: its positions in four bytes each (14 bits of security, 18 of
//! shares; a larger holding takes several) and the interval of their value that changes nothing; what
//! it owes in shares follows what it holds, and two tests stand for the interval. Rows of one shape
//! lie side by side, so that a pass over them does nothing but read on.
//!
//! **Levels.** Each level has a band of prices around every security. A row sits at the widest level
//! that *holds* it:
//!
//! > while every mark lies in its band, `lo ≤ Σ q·low ≤ Σ q·mark ≤ Σ q·high < hi`.
//!
//! Quantities are not negative, so the middle follows from the bands and the ends are checked in
//! integers, when the row takes its seat and whenever its bounds or a band it rests on move. Such an
//! account cannot have crossed a line, and is not touched. When a mark leaves a band, the band is
//! laid around it anew and every row of that level that holds the security is looked at. Where all
//! bands are laid at once, the ends follow from the value alone ([`spread`]), within a unit a position
//! and on the safe side. Level 0 has no bands: its rows are looked at whenever one of their prices moves.

use std::collections::BTreeMap;

use crate::input::SecurityName;
use crate::num::{Money, Quantity};
use crate::prices::{Prices, names, pack, same_names};
use crate::tiers::{Test, holds};

/// Half width of a level's bands as a right shift of the mark, narrowest first; level 0 has none: no
/// value below 2⁶² has anything left after its shift.
pub(crate) const SHIFTS: [u32; LEVELS] = [63, 6, 4, 3, 2, 1];
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
    /// Words of the row, and how many of them, the last ones, are owed.
    pub width: u8,
    pub owed: u8,
    pub level: u8,
    pub kind: Kind,
}

/// While the value of positions lies in it, nothing changes: an interval within the exact one, its ends
/// in whole [`GRAIN`]s so that they take four bytes each. A value in the last grain before a line is
/// outside, and its account is judged exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    lo: u32,
    hi: u32,
}

/// The grain of [`Bounds`] as a shift: 2²⁰ units, some 105 yuan.
const GRAIN: u32 = 20;

impl Bounds {
    /// What no value lies in.
    pub(crate) const VOID: Bounds = Bounds { lo: u32::MAX, hi: 0 };

    /// The largest bounds within `lo..hi`. Values are not negative; those of 2⁵² and more, of which no
    /// account has been seen, are outside all bounds.
    pub(crate) fn new(lo: Money, hi: Money) -> Self {
        let grains = |end: Money| u32::try_from(end.max(0)).unwrap_or(u32::MAX);
        let up = Money::from(lo.rem_euclid(1 << GRAIN) > 0);
        Bounds { lo: grains((lo >> GRAIN) + up), hi: grains(hi >> GRAIN) }
    }

    fn ends(self) -> (Money, Money) {
        (Money::from(self.lo) << GRAIN, Money::from(self.hi) << GRAIN)
    }

    /// The same but for what lies outside others.
    pub(crate) fn and(self, other: Self) -> Self {
        Bounds { lo: self.lo.max(other.lo), hi: self.hi.min(other.hi) }
    }

    pub(crate) fn contain(self, value: Money) -> bool {
        self.within(value, value)
    }

    /// Whether all values between two lie in it.
    pub(crate) fn within(self, least: Money, most: Money) -> bool {
        let (lo, hi) = self.ends();
        lo <= least && most < hi
    }

    /// How far a value inside may move either way; below zero for one outside.
    #[inline(always)]
    pub(crate) fn slack(self, value: Money) -> Money {
        // Ends are below 2⁵², values below 2⁶².
        let (lo, hi) = self.ends();
        value.wrapping_sub(lo).min(hi.wrapping_sub(1).wrapping_sub(value))
    }
}

/// What an epoch reads of an account whose debts move with prices, beside its words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Balance {
    /// Cash, receivables and other collateral.
    pub fixed: Money,
    /// Principal, interest and fees.
    pub money: Money,
    /// The test that must fail, and the one that must hold (none at `normal`).
    pub worse: Test,
    pub calm: Option<Test>,
}

impl Balance {
    /// Whether the tier stays at all values of what is held and owed between two each: the worst case
    /// of a test that must fail is the least A against the greatest D, of one that must hold the
    /// other way round.
    pub(crate) fn stays(&self, held: (Money, Money), owed: (Money, Money)) -> bool {
        // Below 2⁶³: values are below 2⁶², money below 2⁵⁹ (`judge`).
        let assets = |held: Money| i128::from(self.fixed.wrapping_add(held));
        let debts = |owed: Money| i128::from(self.money.wrapping_add(owed));
        debts(owed.0) > 0
            && !holds(self.worse, assets(held.0), debts(owed.1))
            && self.calm.is_none_or(|test| holds(test, assets(held.1), debts(owed.0)))
    }

    /// Whether the tier stays at prices, for a row with so many words held.
    pub(crate) fn stays_at(&self, words: &[u32], held: usize, marks: &Prices) -> bool {
        let (held, owed) = (marks.value(&words[..held]), marks.value(&words[held..]));
        self.stays((held, held), (owed, owed))
    }
}

/// The ends of a value when every price may move by its part `1 / 2^shift` to either side. A band is
/// `mark ± (mark >> shift)`, and `Σ q·(mark >> shift)` is an integer no larger than `Σ q·mark / 2^shift`.
pub(crate) fn spread(value: Money, shift: u32) -> (Money, Money) {
    (value - (value >> shift), value + (value >> shift))
}

/// The row of an account that is judged in full: what it holds and owes.
#[derive(Clone, Debug)]
pub(crate) struct Full {
    pub account: u32,
    pub names: Box<[usize]>,
}

/// Rows of words of one shape at one level, and what keeps the tier of each.
#[derive(Clone, Debug)]
pub(crate) struct Group<T> {
    pub accounts: Vec<u32>,
    pub keeps: Vec<T>,
    pub words: Vec<u32>,
}

impl<T> Default for Group<T> {
    fn default() -> Self {
        Group { accounts: Vec::new(), keeps: Vec::new(), words: Vec::new() }
    }
}

impl<T> Group<T> {
    /// Adds a row; gives its place.
    fn push(&mut self, account: u32, words: &[u32], keeps: T) -> u32 {
        self.accounts.push(account);
        self.keeps.push(keeps);
        self.words.extend_from_slice(words);
        self.accounts.len() as u32 - 1
    }

    /// Takes a row out and fills its place with the last one; gives the account that moved there.
    fn swap_remove(&mut self, row: usize, width: usize) -> Option<u32> {
        let last = self.accounts.len() - 1;
        self.accounts.swap_remove(row);
        self.keeps.swap_remove(row);
        self.words.copy_within(last * width.., row * width);
        self.words.truncate(last * width);
        self.accounts.get(row).copied()
    }

    /// Adds what its rows use.
    fn add_bytes(&self, width: usize, to: &mut ColumnBytes) {
        let rows = self.words.chunks(width.max(1));
        to.positions += rows.map(|row| names(row).count() as u64).sum::<u64>();
        to.words += size_of_val(&*self.words) as u64;
        to.bounds += size_of_val(&*self.keeps) as u64;
        to.accounts += size_of_val(&*self.accounts) as u64;
    }

    pub(crate) fn row(&self, row: usize, width: usize) -> &[u32] {
        &self.words[row * width..(row + 1) * width]
    }
}

/// Words of a row, and how many of them, the last ones, are owed.
pub(crate) type Shape = (u8, u8);

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
    /// Rows of accounts whose debts stand still, by width.
    pub groups: Vec<Group<Bounds>>,
    /// Rows of accounts that owe shares.
    pub owing: BTreeMap<Shape, Group<Balance>>,
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
    /// Rows that a pass over a block wants looked at.
    pub wanted: Vec<u32>,
    /// A row on its way to its place.
    moving: Vec<u32>,
}

impl Default for Columns {
    fn default() -> Self {
        Columns {
            paths: Paths::Auto,
            seats: Vec::new(),
            levels: vec![Level::default(); LEVELS],
            holders: Vec::new(),
            rows: 0,
            wanted: Vec::new(),
            moving: Vec::new(),
        }
    }
}

impl Columns {
    /// Makes room for one more account.
    pub(crate) fn add(&mut self) {
        self.seats.push(Seat::default());
    }

    /// Adds what the rows use.
    pub(crate) fn add_bytes(&self, to: &mut ColumnBytes) {
        to.accounts += size_of_val(&*self.seats) as u64;
        for of in &self.levels {
            for (width, group) in of.groups.iter().enumerate() {
                group.add_bytes(width, to);
            }
            for (&(width, _), group) in &of.owing {
                group.add_bytes(width.into(), to);
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

    /// The words of a row: what is held, then what is owed.
    pub(crate) fn words(&self, seat: Seat) -> &[u32] {
        let (of, row, width) = (&self.levels[seat.level as usize], seat.row as usize, seat.width as usize);
        match seat.kind {
            Kind::Words => of.groups[width].row(row, width),
            Kind::Owing => of.owing[&(seat.width, seat.owed)].row(row, width),
            Kind::Nowhere | Kind::Full => &[],
        }
    }

    pub(crate) fn bounds(&self, seat: Seat) -> Bounds {
        self.levels[seat.level as usize].groups[seat.width as usize].keeps[seat.row as usize]
    }

    /// Value and bounds of a row of an account whose debts stand still.
    pub(crate) fn value(&self, account: u32, marks: &Prices) -> (Money, Bounds) {
        let seat = self.seats[account as usize];
        (marks.value(self.words(seat)), self.bounds(seat))
    }

    /// Seats an account whose debts stand still.
    pub(crate) fn seat_words(
        &mut self,
        account: u32,
        holdings: impl Iterator<Item = (SecurityName, Quantity)>,
        bounds: Bounds,
        marks: &Prices,
    ) {
        let words = self.packed(holdings);
        let level = self.level_for(&words, marks.value(&words), bounds, LEVELS - 1);
        self.count(names(&words), 1);
        self.put_words(account, level, &words, bounds);
        self.moving = words;
    }

    /// Holdings as words, in the room for a row on its way.
    fn packed(&mut self, holdings: impl Iterator<Item = (SecurityName, Quantity)>) -> Vec<u32> {
        let mut words = std::mem::take(&mut self.moving);
        words.clear();
        pack(holdings, &mut words);
        words
    }

    /// Writes new holdings of the same securities over a row of words, whose bounds are void until it is
    /// given others; tells whether it could.
    pub(crate) fn rewrite(
        &mut self,
        account: u32,
        holdings: impl Iterator<Item = (SecurityName, Quantity)>,
    ) -> bool {
        let words = self.packed(holdings);
        let seat = self.seats[account as usize];
        let same = seat.kind == Kind::Words && same_names(self.words(seat), &words);
        if same {
            let (row, width) = (seat.row as usize, seat.width as usize);
            let group = &mut self.levels[seat.level as usize].groups[width];
            group.words[row * width..(row + 1) * width].copy_from_slice(&words);
            group.keeps[row] = Bounds::VOID;
        }
        self.moving = words;
        same
    }

    /// Gives a row new bounds and the widest level that holds it: level 0 for a value in the last grain.
    pub(crate) fn rebound(&mut self, account: u32, value: Money, bounds: Bounds) {
        let seat = self.seats[account as usize];
        let level = self.level_for(self.words(seat), value, bounds, LEVELS - 1);
        self.put_bounds(seat, bounds);
        if level != usize::from(seat.level) {
            self.move_to(account, level);
        }
    }

    fn put_bounds(&mut self, seat: Seat, bounds: Bounds) {
        self.levels[seat.level as usize].groups[seat.width as usize].keeps[seat.row as usize] = bounds;
    }

    /// The inequality of a level, for a row whose value is within its bounds.
    pub(crate) fn holds(&self, level: usize, words: &[u32], bounds: Bounds) -> bool {
        let of = &self.levels[level];
        level == 0 || bounds.within(of.low.value(words), of.high.value(words))
    }

    /// The widest level up to one that holds a row, by its distance from its bounds.
    pub(crate) fn level_for(&self, words: &[u32], value: Money, bounds: Bounds, most: usize) -> usize {
        let slack = bounds.slack(value);
        if self.paths == Paths::Sweep || slack < 0 {
            return 0;
        }
        // A band of half width `mark >> shift` moves the value by at most `value >> shift`.
        let room = (1..=most).rev().find(|&level| value >> SHIFTS[level] <= slack);
        (1..=room.unwrap_or(0)).rev().find(|&level| self.holds(level, words, bounds)).unwrap_or(0)
    }

    fn put_words(&mut self, account: u32, level: usize, words: &[u32], bounds: Bounds) {
        let groups = &mut self.levels[level].groups;
        if groups.len() <= words.len() {
            groups.resize_with(words.len() + 1, Group::default);
        }
        let row = groups[words.len()].push(account, words, bounds);
        let kind = Kind::Words;
        self.seated(account, Seat { row, width: words.len() as u8, owed: 0, level: level as u8, kind });
        self.join(account, level, names(words));
    }

    /// Takes a row of words to another level.
    pub(crate) fn move_to(&mut self, account: u32, level: usize) {
        let seat = self.seats[account as usize];
        let mut words = std::mem::take(&mut self.moving);
        words.clear();
        words.extend_from_slice(self.words(seat));
        if self.levels[seat.level as usize].index.is_some() {
            self.leave(seat.level as usize, names_of_row(&words).into_iter());
        }
        match seat.kind {
            Kind::Words => {
                let bounds = self.bounds(seat);
                self.vacate(account);
                self.put_words(account, level, &words, bounds);
            }
            Kind::Owing => {
                let shape = (seat.width, seat.owed);
                let balance = self.levels[seat.level as usize].owing[&shape].keeps[seat.row as usize];
                self.vacate(account);
                self.put_owing(account, level, &words, seat.owed, balance);
            }
            Kind::Nowhere | Kind::Full => {}
        }
        self.moving = words;
    }

    /// Seats an account that owes shares, in the place of the row it had.
    pub(crate) fn seat_owing(
        &mut self,
        account: u32,
        held: impl Iterator<Item = (SecurityName, Quantity)>,
        owed: impl Iterator<Item = (SecurityName, Quantity)>,
        balance: Balance,
        marks: &Prices,
    ) {
        self.remove(account);
        let mut words = self.packed(held);
        let held = words.len();
        pack(owed, &mut words);
        let level = self.level_of_owing(&words, held, &balance, marks);
        self.count(names_of_row(&words).into_iter(), 1);
        self.put_owing(account, level, &words, (words.len() - held) as u8, balance);
        self.moving = words;
    }

    fn put_owing(&mut self, account: u32, level: usize, words: &[u32], owed: u8, balance: Balance) {
        let width = words.len() as u8;
        let group = self.levels[level].owing.entry((width, owed)).or_default();
        let row = group.push(account, words, balance);
        self.seated(account, Seat { row, width, owed, level: level as u8, kind: Kind::Owing });
        if self.levels[level].index.is_some() {
            self.join(account, level, names_of_row(words).into_iter());
        }
    }

    /// The widest level that holds a row with so many words held.
    pub(crate) fn level_of_owing(
        &self,
        words: &[u32],
        held: usize,
        balance: &Balance,
        marks: &Prices,
    ) -> usize {
        if self.paths == Paths::Sweep || !balance.stays_at(words, held, marks) {
            return 0;
        }
        let (held, owed) = words.split_at(held);
        let holds = |level: &usize| {
            let (low, high) = (&self.levels[*level].low, &self.levels[*level].high);
            balance.stays((low.value(held), high.value(held)), (low.value(owed), high.value(owed)))
        };
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
        self.seated(account, Seat { row, kind: Kind::Full, ..Seat::default() });
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
        match seat.kind {
            Kind::Nowhere => Vec::new(),
            Kind::Words | Kind::Owing => names_of_row(self.words(seat)),
            Kind::Full => self.levels[seat.level as usize].full[seat.row as usize].names.to_vec(),
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
    fn vacate(&mut self, account: u32) {
        let seat = std::mem::take(&mut self.seats[account as usize]);
        let of = &mut self.levels[seat.level as usize];
        let (row, width) = (seat.row as usize, seat.width as usize);
        of.rows -= 1;
        self.rows -= 1;
        let moved = match seat.kind {
            Kind::Nowhere => None,
            Kind::Words => of.groups[width].swap_remove(row, width),
            Kind::Owing => {
                let group = of.owing.get_mut(&(seat.width, seat.owed));
                group.and_then(|group| group.swap_remove(row, width))
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

/// The securities of a row whose words may name one in two places, each once.
pub(crate) fn names_of_row(words: &[u32]) -> Vec<usize> {
    let mut all: Vec<usize> = names(words).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_at_their_ends_and_not_one_unit_beyond() {
        let grain = 1 << GRAIN;
        let bounds = Bounds::new(10 * grain, 20 * grain);
        let last = 20 * grain - 1;
        for (least, most, holds) in [
            (10 * grain, last, true),
            (10 * grain - 1, last, false),
            (10 * grain, last + 1, false),
            (15 * grain, 15 * grain, true),
        ] {
            assert_eq!(bounds.within(least, most), holds, "{least} to {most}");
        }
        assert_eq!([10 * grain, 10 * grain + 2, last].map(|value| bounds.slack(value)), [0, 2, 0]);
        assert!(bounds.slack(10 * grain - 1) < 0 && bounds.slack(last + 1) < 0);
    }

    #[test]
    fn a_row_is_written_over_by_the_same_securities_alone() {
        let (mut marks, mut columns) = (Prices::default(), Columns::default());
        (0..3).for_each(|name| marks.set(SecurityName(name), 1 << name));
        let bounds = Bounds::new(0, Money::MAX);
        let held =
            |of: [(u32, Quantity); 2]| of.map(|(name, shares)| (SecurityName(name), shares)).into_iter();
        columns.add();
        columns.seat_words(0, held([(0, 5), (1, 3)]), bounds, &marks);
        assert_eq!(columns.value(0, &marks), (11, bounds));
        // Another security, another order, one less: the row stays as it was, for others to take out.
        assert!(!columns.rewrite(0, held([(0, 5), (2, 3)])));
        assert!(!columns.rewrite(0, held([(1, 3), (0, 5)])));
        assert!(!columns.rewrite(0, held([(0, 5), (1, 3)]).take(1)));
        assert_eq!(columns.value(0, &marks), (11, bounds));
        assert!(columns.rewrite(0, held([(0, 9), (1, 3)])));
        let (value, void) = columns.value(0, &marks);
        assert_eq!(value, 15);
        assert!(!void.contain(value), "until it is judged and given others");
    }

    #[test]
    fn bounds_lie_within_the_exact_ones_by_less_than_a_grain() {
        let grain: Money = 1 << GRAIN;
        for lo in [-1, 0, 1, grain - 1, grain, grain + 1, 7 * grain + 3] {
            for hi in [lo, lo + 1, lo + grain, 9 * grain - 1, 9 * grain, 9 * grain + 1] {
                let (low, high) = Bounds::new(lo, hi).ends();
                assert!(lo <= low && low < lo.max(0) + grain, "{lo}");
                assert!(high <= hi.max(0) && hi - grain < high, "{hi}");
            }
        }
        let open = Bounds::new(Money::MIN, Money::MAX);
        assert!(open.contain(0) && open.contain((1 << 52) - grain - 1) && !open.contain(1 << 52));
    }
}
