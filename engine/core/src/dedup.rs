//! Which inputs were seen before, and the counters of refusals (events.md, "Duplicates").

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hashbrown::HashTable;

/// Ids remembered per source: the last 2²⁰.
pub const REMEMBERED_IDS: usize = 1 << 20;
/// Refused ids whose counters are remembered, per source.
pub const REMEMBERED_REFUSALS: usize = 1 << 20;

/// Fingerprint of an id: the first 16 bytes of its BLAKE3 hash, so that no sender can forge a clash.
pub(crate) fn fingerprint(id: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&blake3::hash(id).as_bytes()[..16]);
    u128::from_le_bytes(bytes)
}

/// Hash of a fingerprint: it is one already.
fn short(print: u128) -> u64 {
    print as u64
}

/// Ids of a block.
const BLOCK: usize = 1 << 12;

/// Some of the ids of a source, the oldest first; shared with a save under way, which may come to them later.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    ids: Arc<Vec<u128>>,
    /// How many of the oldest are forgotten.
    gone: usize,
}

impl Block {
    /// Those that are remembered.
    pub(crate) fn ids(&self) -> &[u128] {
        &self.ids[self.gone..]
    }
}

/// The last ids of one source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remembered {
    /// The oldest first; none is empty.
    pub blocks: VecDeque<Block>,
    table: HashTable<u128>,
}

impl Remembered {
    /// Room for so many.
    pub(crate) fn with_capacity(ids: usize) -> Self {
        Remembered { blocks: VecDeque::new(), table: HashTable::with_capacity(ids.min(REMEMBERED_IDS)) }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Remembers an id; false where it was remembered already.
    pub(crate) fn insert(&mut self, print: u128) -> bool {
        if self.contains(print) {
            return false;
        }
        if self.len() == REMEMBERED_IDS
            && let Some(oldest) = self.forget()
            && let Ok(entry) = self.table.find_entry(short(oldest), |&p| p == oldest)
        {
            entry.remove();
        }
        if self.blocks.back().is_none_or(|block| block.ids.len() == BLOCK) {
            self.blocks.push_back(Block { ids: Arc::new(Vec::new()), gone: 0 });
        }
        if let Some(last) = self.blocks.back_mut() {
            Arc::make_mut(&mut last.ids).push(print);
        }
        self.table.insert_unique(short(print), print, |&p| short(p));
        true
    }

    /// Takes the oldest out of the blocks.
    fn forget(&mut self) -> Option<u128> {
        let first = self.blocks.front_mut()?;
        let oldest = first.ids().first().copied();
        first.gone += 1;
        if first.ids().is_empty() {
            self.blocks.pop_front();
        }
        oldest
    }

    fn contains(&self, print: u128) -> bool {
        self.table.find(short(print), |&p| p == print).is_some()
    }
}

/// A source: its highest number, its last ids, its alarms and its refusals.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    pub highest: Option<u64>,
    pub ids: Remembered,
    pub gaps: u32,
    /// Refusals counted by id, and the order in which the ids came.
    pub refusals: BTreeMap<u128, u32>,
    pub refused: VecDeque<u128>,
}

/// What the door of the state says of an id or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    New,
    /// New, with numbers missing before it: the last one seen.
    Gap(u64),
    Before,
}

impl Source {
    /// Looks an input up and remembers it.
    pub(crate) fn see(&mut self, number: Option<u64>, id: &[u8]) -> Seen {
        let Some(number) = number else {
            return if self.ids.insert(fingerprint(id)) { Seen::New } else { Seen::Before };
        };
        match self.highest {
            Some(highest) if number <= highest => Seen::Before,
            Some(highest) => {
                self.highest = Some(number);
                if number > highest + 1 { Seen::Gap(highest) } else { Seen::New }
            }
            None => {
                self.highest = Some(number);
                Seen::New
            }
        }
    }

    /// Counts a refusal of an id; from 1.
    pub(crate) fn count_refusal(&mut self, id: &[u8]) -> u32 {
        let print = fingerprint(id);
        if let Some(count) = self.refusals.get_mut(&print) {
            *count += 1;
            return *count;
        }
        if self.refused.len() == REMEMBERED_REFUSALS
            && let Some(oldest) = self.refused.pop_front()
        {
            self.refusals.remove(&oldest);
        }
        self.refused.push_back(print);
        self.refusals.insert(print, 1);
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_id_is_forgotten_first() {
        let mut ids = Remembered::default();
        for k in 0..=REMEMBERED_IDS as u128 {
            assert!(ids.insert(k));
        }
        assert!(!ids.insert(1));
        assert!(ids.insert(0));
        let kept: Vec<u128> = ids.blocks.iter().flat_map(Block::ids).copied().collect();
        assert_eq!(kept, (2..=REMEMBERED_IDS as u128).chain([0]).collect::<Vec<_>>());
    }

    #[test]
    fn a_block_that_is_shared_stays_as_it_was() {
        let mut ids = Remembered::default();
        (0..BLOCK as u128 + 1).for_each(|k| assert!(ids.insert(k)));
        let shared = ids.blocks.clone();
        (0..REMEMBERED_IDS as u128).for_each(|k| assert!(ids.insert(k + (1 << 70))));
        let kept: Vec<u128> = shared.iter().flat_map(Block::ids).copied().collect();
        assert_eq!(kept, (0..BLOCK as u128 + 1).collect::<Vec<_>>());
    }

    #[test]
    fn numbers_tell_duplicates_and_gaps() {
        let mut source = Source::default();
        assert_eq!(source.see(Some(5), b"a"), Seen::New);
        assert_eq!(source.see(Some(5), b"b"), Seen::Before);
        assert_eq!(source.see(Some(6), b"a"), Seen::New);
        assert_eq!(source.see(Some(8), b"c"), Seen::Gap(6));
        assert_eq!(source.see(None, b"a"), Seen::New);
        assert_eq!(source.see(None, b"a"), Seen::Before);
    }
}
