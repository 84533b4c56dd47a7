//! Committed effects to whoever listens: one ring for all, and the log for those who fell behind.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plimsoll_service::run::Committed;
use serde::Deserialize;
use tokio::sync::{mpsc, watch};

/// Bytes of effects that are kept for listeners who are a little late; others read the log.
const KEPT_BYTES: usize = 64 << 20;
/// Epochs that are kept for them.
const KEPT_EPOCHS: usize = 4_096;

/// One effect, with what filters ask of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub n: u32,
    pub kind: Box<str>,
    pub account: Option<Box<str>>,
    pub tier: Option<Box<str>>,
    pub json: Box<str>,
}

/// The effects of an epoch.
#[derive(Debug)]
pub(crate) struct Told {
    pub epoch: u64,
    pub lines: Vec<Line>,
    bytes: usize,
}

#[derive(Deserialize)]
struct Head {
    r#type: Box<str>,
    n: u32,
    account: Option<Box<str>>,
    to: Option<Box<str>>,
}

impl Told {
    /// The effects of an epoch as they stand in the log.
    pub(crate) fn of(epoch: u64, effects: &[u8]) -> Self {
        let lines = effects.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let line = |line: &[u8]| {
            let json = std::str::from_utf8(line).ok()?;
            let Head { r#type: kind, n, account, to: tier } = serde_json::from_str(json).ok()?;
            Some(Line { n, kind, account, tier, json: json.into() })
        };
        Told { epoch, lines: lines.filter_map(line).collect(), bytes: effects.len() }
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
        self.bytes += told.bytes;
        self.told.push_back(Arc::new(told));
        while self.told.len() > 1 && (self.bytes > KEPT_BYTES || self.told.len() > KEPT_EPOCHS) {
            self.bytes -= self.told.pop_front().map_or(0, |oldest| oldest.bytes);
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
                let told = Told::of(epoch.number, &epoch.effects);
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

    #[test]
    fn what_is_kept_is_bounded_and_whatever_is_not_is_in_the_log() {
        let hub = Hub::after(4);
        assert!(matches!(hub.told(4), Kept::InLog) && matches!(hub.told(5), Kept::ToCome));
        let most = KEPT_EPOCHS as u64;
        for epoch in 5..5 + most + 3 {
            hub.ring().push(Told::of(epoch, b""));
            hub.last.send_replace(epoch);
        }
        let last = 4 + most + 3;
        assert!(matches!(hub.told(last - most), Kept::InLog));
        assert!(matches!(hub.told(last - most + 1), Kept::Told(told) if told.epoch == last - most + 1));
        assert!(matches!(hub.told(last), Kept::Told(told) if told.epoch == last));
        assert!(matches!(hub.told(last + 1), Kept::ToCome));
        let long = vec![b' '; KEPT_BYTES + 1];
        hub.ring().push(Told::of(last + 1, &long));
        assert_eq!(hub.ring().told.len(), 1, "one that is longer than all that may be kept is kept alone");
    }
}
