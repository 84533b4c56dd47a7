//! Names of the wire as dense ordinals of the core, in order of first appearance.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use plimsoll_engine::input::{AccountName, BranchName, ContractName, CustomerName, SecurityName, SourceName};
use std::hash::BuildHasher;
use std::ops::Range;

/// Hashes of names must not differ between runs: nothing may depend on them, and nothing could
/// then depend on them unseen.
const HASHER: FixedState = FixedState::with_seed(0x506c_696d_736f_6c6c);

/// A set of names, each with an ordinal.
///
/// All texts stand in one string, one after the other; a name costs its bytes, four for where it
/// ends and five to ten in the table that finds it.
#[derive(Clone, Debug, Default)]
pub struct Interner {
    text: String,
    ends: Vec<u32>,
    table: HashTable<u32>,
}

impl Interner {
    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The ordinal of a known name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<u32> {
        let hash = HASHER.hash_one(name.as_bytes());
        self.table.find(hash, |&ordinal| self.is(ordinal, name)).copied()
    }

    /// Whether an ordinal is the one of this name.
    #[inline]
    #[must_use]
    pub fn is(&self, ordinal: u32, name: &str) -> bool {
        (ordinal as usize) < self.ends.len() && bytes_of(&self.text, &self.ends, ordinal) == name.as_bytes()
    }

    /// The ordinal of a name, known from now on.
    ///
    /// # Panics
    /// When all names together exceed 4 GiB, the bound of a process's names.
    pub fn intern(&mut self, name: &str) -> u32 {
        let Interner { text, ends, table } = self;
        let hash = HASHER.hash_one(name.as_bytes());
        if let Some(&ordinal) = table.find(hash, |&ordinal| bytes_of(text, ends, ordinal) == name.as_bytes())
        {
            return ordinal;
        }
        let ordinal = ends.len() as u32;
        let end = u32::try_from(text.len() + name.len()).expect("names exceed 4 GiB");
        // Doubling would waste half of a large book's names: grow by a quarter.
        if text.capacity() < text.len() + name.len() {
            text.reserve_exact(name.len().max(text.len() / 4).max(64));
        }
        if ends.capacity() == ends.len() {
            ends.reserve_exact((ends.len() / 4).max(16));
        }
        text.push_str(name);
        ends.push(end);
        table.insert_unique(hash, ordinal, |&known| HASHER.hash_one(bytes_of(text, ends, known)));
        ordinal
    }

    /// Makes room for so many names: on loading, how many there are is known.
    fn reserve(&mut self, count: usize) {
        let Interner { text, ends, table } = self;
        ends.reserve_exact(count);
        table.reserve(count, |&known| HASHER.hash_one(bytes_of(text, ends, known)));
    }

    /// Forgets the names after the first so many.
    fn forget_after(&mut self, len: usize) {
        for ordinal in (len as u32..self.len() as u32).rev() {
            let hash = HASHER.hash_one(bytes_of(&self.text, &self.ends, ordinal));
            if let Ok(entry) = self.table.find_entry(hash, |&known| known == ordinal) {
                entry.remove();
            }
        }
        self.text.truncate(len.checked_sub(1).map_or(0, |last| self.ends[last] as usize));
        self.ends.truncate(len);
    }

    /// The name of an ordinal.
    ///
    /// # Panics
    /// When no name has this ordinal.
    #[must_use]
    pub fn name(&self, ordinal: u32) -> &str {
        text_of(&self.text, &self.ends, ordinal)
    }

    /// Every name, in the order of ordinals.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len() as u32).map(|ordinal| self.name(ordinal))
    }

    /// Bytes the set occupies.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * 4 + self.table.allocation_size()
    }
}

fn text_of<'a>(text: &'a str, ends: &[u32], ordinal: u32) -> &'a str {
    &text[place_of(ends, ordinal)]
}

/// The bytes of a name, for comparing: a text would be checked for where its characters begin.
#[inline]
fn bytes_of<'a>(text: &'a str, ends: &[u32], ordinal: u32) -> &'a [u8] {
    &text.as_bytes()[place_of(ends, ordinal)]
}

#[inline]
fn place_of(ends: &[u32], ordinal: u32) -> Range<usize> {
    let at = ordinal as usize;
    let start = if at == 0 { 0 } else { ends[at - 1] };
    start as usize..ends[at] as usize
}

/// Every name a process knows.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Accounts, from their `account` events.
    pub accounts: Interner,
    /// Customers, from `account` events.
    pub customers: Interner,
    /// Branches, from `account` events.
    pub branches: Interner,
    /// Securities, from their `security` events.
    pub securities: Interner,
    /// Contracts, from `opening` events and fills that may open one.
    pub contracts: Interner,
    /// Indices, from `security` and `index` events and the haircut caps.
    pub indices: Interner,
    /// Groups, from `security` events.
    pub groups: Interner,
    /// Sources, from envelopes.
    pub sources: Interner,
}

/// Sets of names.
const SETS: usize = 8;

/// How far a save of names has come.
#[derive(Clone, Debug)]
pub struct Saving {
    /// Names of each set when it began.
    counts: [u32; SETS],
    set: usize,
    next: u32,
}

impl Names {
    fn all(&self) -> [&Interner; SETS] {
        let Names { accounts, customers, branches, securities, contracts, indices, groups, sources } = self;
        [accounts, customers, branches, securities, contracts, indices, groups, sources]
    }

    fn sets(&mut self) -> [&mut Interner; SETS] {
        let Names { accounts, customers, branches, securities, contracts, indices, groups, sources } = self;
        [accounts, customers, branches, securities, contracts, indices, groups, sources]
    }

    /// Lends the names to work whose new ones are forgotten after it.
    pub fn lend<T>(&mut self, work: impl FnOnce(Names) -> (Names, T)) -> T {
        let counts = self.all().map(Interner::len);
        let (names, answer) = work(std::mem::take(self));
        *self = names;
        self.sets().into_iter().zip(counts).for_each(|(set, count)| set.forget_after(count));
        answer
    }

    /// All names as bytes: set by set, how many, and each with its length before it.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let (mut out, mut saving) = (Vec::new(), self.save_begin());
        self.save_on(&mut saving, usize::MAX, &mut out);
        out
    }

    /// Begins to save the names as they are now; more may come before the save is done.
    #[must_use]
    pub fn save_begin(&self) -> Saving {
        Saving { counts: self.all().map(|set| set.len() as u32), set: 0, next: 0 }
    }

    /// Adds some bytes of the names a save began with; tells whether that was all.
    pub fn save_on(&self, saving: &mut Saving, bytes: usize, out: &mut Vec<u8>) -> bool {
        let (sets, until) = (self.all(), out.len().saturating_add(bytes));
        while let Some(&count) = saving.counts.get(saving.set) {
            if out.len() >= until {
                return false;
            }
            if saving.next == 0 {
                out.extend(count.to_le_bytes());
            }
            while saving.next < count {
                let name = sets[saving.set].name(saving.next);
                out.extend((name.len() as u32).to_le_bytes());
                out.extend(name.as_bytes());
                saving.next += 1;
                if out.len() >= until && saving.next < count {
                    return false;
                }
            }
            (saving.set, saving.next) = (saving.set + 1, 0);
        }
        true
    }

    /// The names that [`Names::save`] gave; `None` where the bytes are none.
    #[must_use]
    pub fn load(mut bytes: &[u8]) -> Option<Self> {
        fn number(bytes: &mut &[u8]) -> Option<usize> {
            let (head, rest) = bytes.split_first_chunk()?;
            *bytes = rest;
            Some(u32::from_le_bytes(*head) as usize)
        }
        let mut names = Names::default();
        for set in names.sets() {
            let count = number(&mut bytes)?;
            // Each has at least its length.
            set.reserve(count.min(bytes.len() / 4));
            for ordinal in 0..count {
                let length = number(&mut bytes)?;
                let (name, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                if set.intern(std::str::from_utf8(name).ok()?) as usize != ordinal {
                    return None;
                }
            }
        }
        bytes.is_empty().then_some(names)
    }

    /// An account's name.
    #[must_use]
    pub fn account(&self, name: AccountName) -> &str {
        self.accounts.name(name.0)
    }

    /// A customer's name.
    #[must_use]
    pub fn customer(&self, name: CustomerName) -> &str {
        self.customers.name(name.0)
    }

    /// A security's code.
    #[must_use]
    pub fn security(&self, name: SecurityName) -> &str {
        self.securities.name(name.0)
    }

    /// A contract's name.
    #[must_use]
    pub fn contract(&self, name: ContractName) -> &str {
        self.contracts.name(name.0)
    }

    /// A source's name.
    #[must_use]
    pub fn source(&self, name: SourceName) -> &str {
        self.sources.name(name.0)
    }

    /// A known account.
    #[must_use]
    pub fn find_account(&self, name: &str) -> Option<AccountName> {
        self.accounts.find(name).map(AccountName)
    }

    /// A known customer.
    #[must_use]
    pub fn find_customer(&self, name: &str) -> Option<CustomerName> {
        self.customers.find(name).map(CustomerName)
    }

    /// A branch's name.
    #[must_use]
    pub fn branch(&self, name: BranchName) -> &str {
        self.branches.name(name.0)
    }

    /// A known branch.
    #[must_use]
    pub fn find_branch(&self, name: &str) -> Option<BranchName> {
        self.branches.find(name).map(BranchName)
    }

    /// A known security.
    #[must_use]
    pub fn find_security(&self, name: &str) -> Option<SecurityName> {
        self.securities.find(name).map(SecurityName)
    }

    /// A known contract.
    #[must_use]
    pub fn find_contract(&self, name: &str) -> Option<ContractName> {
        self.contracts.find(name).map(ContractName)
    }

    /// Bytes all names occupy.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.all().map(Interner::bytes).iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_follow_first_appearance() {
        let mut set = Interner::default();
        assert_eq!(set.find("b"), None);
        assert_eq!(set.intern("b"), 0);
        assert_eq!(set.intern(""), 1);
        assert_eq!(set.intern("中"), 2);
        assert_eq!(set.intern("b"), 0);
        assert_eq!(set.find(""), Some(1));
        assert_eq!(set.name(2), "中");
        assert_eq!(set.len(), 3);
    }

    #[test]
    fn names_that_were_lent_come_back_as_they_were() {
        let mut names = Names::default();
        for n in 0..50 {
            names.accounts.intern(&format!("A{n}"));
        }
        let before = names.save();
        let lent = names.lend(|mut names| {
            (0..500).for_each(|n| {
                names.accounts.intern(&format!("A{n}"));
                names.groups.intern(&format!("G{n}"));
            });
            let len = names.accounts.len();
            (names, len)
        });
        assert_eq!((lent, names.accounts.len(), names.groups.len()), (500, 50, 0));
        assert_eq!(names.save(), before);
        assert_eq!((names.find_account("A49"), names.find_account("A50")), (Some(AccountName(49)), None));
        assert_eq!((names.accounts.intern("new"), names.accounts.find("new")), (50, Some(50)));
    }

    #[test]
    fn names_saved_by_pieces_are_those_it_began_with() {
        let mut names = Names::default();
        let more = |names: &mut Names, from: u32, to: u32| {
            for n in from..to {
                names.accounts.intern(&format!("A{n}"));
                names.contracts.intern(&format!("合同{n}"));
                names.sources.intern(&format!("s{}", n % 3));
            }
        };
        more(&mut names, 0, 100);
        for piece in [1, 7, 1 << 20] {
            let whole = names.save();
            let (mut saving, mut out) = (names.save_begin(), Vec::new());
            let mut pieces = 1;
            while !names.save_on(&mut saving, piece, &mut out) {
                pieces += 1;
                let known = names.accounts.len() as u32;
                more(&mut names, known, known + 1);
            }
            assert!(out == whole && (piece > 7 || pieces > 50), "{piece}: {pieces}");
            let loaded = Names::load(&out).expect("names");
            assert_eq!(loaded.save(), whole);
        }
    }

    #[test]
    fn a_name_costs_little_beyond_its_bytes() {
        let mut set = Interner::default();
        let mut text = 0;
        for n in 0..200_000_u32 {
            let name = format!("A{n:07}");
            text += name.len();
            assert_eq!(set.intern(&name), n);
        }
        for n in (0..200_000_u32).step_by(997) {
            assert_eq!(set.find(&format!("A{n:07}")), Some(n));
        }
        let overhead = (set.bytes() - text) / set.len();
        assert!(overhead <= 25, "{overhead} bytes a name");
    }
}
