//! Which inputs were seen before, and the counters of refusals (events.md, "Duplicates").

use std::collections::{BTreeMap, VecDeque};

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

/// The last ids of one source, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remembered {
    pub ring: VecDeque<u128>,
    table: HashTable<u128>,
}

impl Remembered {
    /// Remembers an id; false where it was remembered already.
    pub(crate) fn insert(&mut self, print: u128) -> bool {
        if self.contains(print) {
            return false;
        }
        if self.ring.len() == REMEMBERED_IDS
            && let Some(oldest) = self.ring.pop_front()
            && let Ok(entry) = self.table.find_entry(short(oldest), |&p| p == oldest)
        {
            entry.remove();
        }
        self.ring.push_back(print);
        self.table.insert_unique(short(print), print, |&p| short(p));
        true
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
