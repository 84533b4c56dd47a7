//! Accounts as they were: what a save without a stop keeps of those that change before it comes to them.

use std::collections::BTreeMap;

/// A save under way: the next account, of how many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Saving {
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
