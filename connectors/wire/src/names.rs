//! Names of the wire as dense ordinals of the core, in order of first appearance.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use plimsoll_engine::input::{AccountName, ContractName, CustomerName, SecurityName, SourceName};
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

impl Names {
    fn sets(&mut self) -> [&mut Interner; 7] {
        let Names { accounts, customers, securities, contracts, indices, groups, sources } = self;
        [accounts, customers, securities, contracts, indices, groups, sources]
    }

    /// All names as bytes: set by set, how many, and each with its length before it.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for set in self.clone().sets() {
            out.extend((set.len() as u32).to_le_bytes());
            for name in set.iter() {
                out.extend((name.len() as u32).to_le_bytes());
                out.extend(name.as_bytes());
            }
        }
        out
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
            for ordinal in 0..number(&mut bytes)? {
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
        [&self.accounts, &self.customers, &self.securities, &self.contracts, &self.indices, &self.sources]
            .map(Interner::bytes)
            .iter()
            .sum()
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
