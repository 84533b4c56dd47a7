//! The state as it was: what a save without a stop keeps of what changes before it comes to it.

use std::collections::{BTreeMap, VecDeque};

use crate::dedup::Block;

/// A piece of what is no account's own.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Its bytes.
    Bytes(Vec<u8>),
    /// Ids, which are many: shared, not copied.
    Ids(Block),
}

/// What is no account's own, as it was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts(pub VecDeque<Part>);

impl Parts {
    /// Where bytes go that follow what is there.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        if !matches!(self.0.back(), Some(Part::Bytes(_))) {
            self.0.push_back(Part::Bytes(Vec::new()));
        }
        match self.0.back_mut() {
            Some(Part::Bytes(bytes)) => bytes,
            _ => unreachable!("it was put there"),
        }
    }

    /// Adds the bytes of the next part; false where there is none.
    pub(crate) fn put_next(&mut self, out: &mut Vec<u8>) -> bool {
        match self.0.pop_front() {
            Some(Part::Bytes(bytes)) => out.extend_from_slice(&bytes),
            Some(Part::Ids(block)) => block.ids().iter().for_each(|id| out.extend(id.to_le_bytes())),
            None => return false,
        }
        true
    }
}

/// A save under way: what is no account's own and still to come, then the next account, of how many.
#[derive(Clone, Debug)]
pub(crate) struct Saving {
    pub parts: Parts,
    pub next: u32,
    pub accounts: u32,
}

/// Accounts of a lane that a save under way has still to come to.
#[derive(Clone, Debug)]
pub(crate) struct Aside {
    pub from: u32,
    until: u32,
    /// Those that have changed since it began, as they were.
    pub images: BTreeMap<u32, Vec<u8>>,
}

impl Aside {
    /// All of so many accounts are still to come.
    pub(crate) fn of(accounts: u32) -> Self {
        Aside { from: 0, until: accounts, images: BTreeMap::new() }
    }

    /// Whether an account that is about to change must be put aside.
    pub(crate) fn wants(&self, account: u32) -> bool {
        (self.from..self.until).contains(&account) && !self.images.contains_key(&account)
    }
}
