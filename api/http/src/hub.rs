//! Committed effects to whoever listens: one ring for all, and the log for those who fell behind.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plimsoll_service::run::Committed;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, watch};

/// Bytes of effects that are kept for listeners who are a little late; others read the log.
const KEPT_BYTES: usize = 16 << 20;
/// Epochs that are kept for them.
const KEPT_EPOCHS: usize = 1_024;

/// One effect, with what filters ask of it; texts as they stand between the quotes of their JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'t> {
    pub n: u32,
    pub kind: &'t str,
    pub account: Option<&'t str>,
    pub tier: Option<&'t str>,
    pub json: &'t str,
}

/// Where a part stands in a text: its first byte and how many they are.
type Place = (u32, u32);

/// Where an effect stands in the text of its epoch, and its parts in it.
#[derive(Debug)]
struct Placed {
    n: u32,
    start: usize,
    len: u32,
    kind: Place,
    account: Option<Place>,
    tier: Option<Place>,
}

/// The effects of an epoch: one text for all, for many epochs are kept for as long as somebody listens.
#[derive(Debug)]
pub(crate) struct Told {
    pub epoch: u64,
    text: Box<str>,
    lines: Box<[Placed]>,
}

#[derive(Deserialize)]
struct Head<'t> {
    #[serde(borrow)]
    r#type: &'t RawValue,
    n: u32,
    account: Option<&'t RawValue>,
    to: Option<&'t RawValue>,
}

/// Where a JSON string stands in a line, without its quotes.
fn unquoted(line: &str, value: &RawValue) -> Place {
    let whole = value.get();
    let value = whole.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(whole);
    ((value.as_ptr().addr() - line.as_ptr().addr()) as u32, value.len() as u32)
}

fn at(text: &str, (start, len): Place) -> &str {
    &text[start as usize..][..len as usize]
}

impl Told {
    /// The effects of an epoch as they stand in the log.
    ///
    /// # Panics
    /// On lines that are none: the caller's broken invariant.
    pub(crate) fn of(epoch: u64, effects: Vec<u8>) -> Self {
        let text = String::from_utf8(effects).expect("effects are text").into_boxed_str();
        let placed = |line: &str| {
            let Head { r#type: kind, n, account, to } = serde_json::from_str(line).expect("an effect");
            let start = line.as_ptr().addr() - text.as_ptr().addr();
            let of = |value| unquoted(line, value);
            let (account, tier) = (account.map(of), to.map(of));
            Placed { n, start, len: line.len() as u32, kind: of(kind), account, tier }
        };
        let lines = text.lines().map(placed).collect();
        Told { epoch, text, lines }
    }

    /// An effect by its place among them.
    pub(crate) fn line(&self, place: usize) -> Option<Line<'_>> {
        let placed = self.lines.get(place)?;
        let json = &self.text[placed.start..][..placed.len as usize];
        let of = |place| at(json, place);
        let (account, tier) = (placed.account.map(of), placed.tier.map(of));
        Some(Line { n: placed.n, kind: of(placed.kind), account, tier, json })
    }

    /// What it takes to keep it.
    fn bytes(&self) -> usize {
        self.text.len() + size_of_val(&*self.lines)
    }
}

/// What is kept: epochs one after the other.
#[derive(Debug, Default)]
struct Ring {
    told: VecDeque<Arc<Told>>,
    bytes: usize,
}

impl Ring {
    fn push(&mut self, told: Told) {
        self.bytes += told.bytes();
        self.told.push_back(Arc::new(told));
        while self.told.len() > 1 && (self.bytes > KEPT_BYTES || self.told.len() > KEPT_EPOCHS) {
            self.bytes -= self.told.pop_front().map_or(0, |oldest| oldest.bytes());
        }
    }
}

/// What the hub has of an epoch.
pub(crate) enum Kept {
    /// Its effects.
    Told(Arc<Told>),
    /// It is in the log alone.
    InLog,
    /// It is still to come.
    ToCome,
}

/// Where listeners hang on.
#[derive(Clone)]
pub(crate) struct Hub {
    ring: Arc<Mutex<Ring>>,
    /// The last epoch that was told of.
    last: watch::Sender<u64>,
    summary: watch::Sender<Arc<str>>,
}

impl Hub {
    /// A hub after an epoch.
    pub(crate) fn after(epoch: u64) -> Self {
        Hub { ring: Arc::default(), last: watch::channel(epoch).0, summary: watch::channel(Arc::from("")).0 }
    }

    /// Wakes a listener whenever an epoch was told of.
    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// An epoch's effects, where they are kept.
    pub(crate) fn told(&self, epoch: u64) -> Kept {
        let ring = self.ring();
        let first = ring.told.front().map(|told| told.epoch);
        match first {
            Some(first) if epoch >= first => {
                let place = usize::try_from(epoch - first).unwrap_or(usize::MAX);
                ring.told.get(place).map_or(Kept::ToCome, |told| Kept::Told(told.clone()))
            }
            _ if epoch > *self.last.borrow() => Kept::ToCome,
            _ => Kept::InLog,
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest summary, and each after it.
    pub(crate) fn summaries(&self) -> watch::Receiver<Arc<str>> {
        self.summary.subscribe()
    }

    /// Whether anybody waits for summaries.
    pub(crate) fn wants_summaries(&self) -> bool {
        self.summary.receiver_count() > 0
    }

    pub(crate) fn summarise(&self, summary: String) {
        self.summary.send_replace(Arc::from(summary));
    }

    /// Tells of every committed epoch until there is no writer any more.
    pub(crate) async fn tell(self, mut committed: mpsc::Receiver<Committed>) {
        while let Some(epoch) = committed.recv().await {
            if self.last.receiver_count() > 0 {
                let told = Told::of(epoch.number, epoch.effects);
                self.ring().push(told);
            } else {
                *self.ring() = Ring::default();
            }
            self.last.send_replace(epoch.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(n: u32, account: &str) -> String {
        format!(r#"{{"v":1,"type":"tier_changed","n":{n},"account":"{account}","from":"call","to":"watch"}}"#)
    }

    #[test]
    fn an_effect_is_shown_as_it_stands_whatever_its_account_is_called() {
        let accounts = ["A-1", r#"one that is \"quoted\""#, "两融", ""];
        let lines: Vec<String> = (0..).zip(accounts).map(|(n, account)| effect(n, account)).collect();
        let alarm = r#"{"v":1,"type":"alarm","n":4,"account":null}"#;
        let told = Told::of(7, (lines.join("\n") + "\n" + alarm + "\n").into_bytes());
        for (place, account) in accounts.into_iter().enumerate() {
            let shown = told.line(place).expect("an effect");
            assert_eq!((shown.n as usize, shown.kind, shown.json), (place, "tier_changed", &*lines[place]));
            assert_eq!((shown.account, shown.tier), (Some(account), Some("watch")));
        }
        let shown = Line { n: 4, kind: "alarm", account: None, tier: None, json: alarm };
        assert_eq!((told.line(4), told.line(5)), (Some(shown), None));
    }

    #[test]
    fn what_is_kept_is_bounded_and_whatever_is_not_is_in_the_log() {
        let hub = Hub::after(4);
        assert!(matches!(hub.told(4), Kept::InLog) && matches!(hub.told(5), Kept::ToCome));
        let most = KEPT_EPOCHS as u64;
        for epoch in 5..5 + most + 3 {
            hub.ring().push(Told::of(epoch, Vec::new()));
            hub.last.send_replace(epoch);
        }
        let last = 4 + most + 3;
        assert!(matches!(hub.told(last - most), Kept::InLog));
        assert!(matches!(hub.told(last - most + 1), Kept::Told(told) if told.epoch == last - most + 1));
        assert!(matches!(hub.told(last), Kept::Told(told) if told.epoch == last));
        assert!(matches!(hub.told(last + 1), Kept::ToCome));
        let long = effect(0, &"A".repeat(KEPT_BYTES));
        hub.ring().push(Told::of(last + 1, long.into_bytes()));
        assert_eq!(hub.ring().told.len(), 1, "one that is longer than all that may be kept is kept alone");
    }
}
