//! What the log says of one account, read backwards.

use std::time::{Duration, Instant};

use plimsoll_log::{Fault, Past};
use serde_json::value::RawValue;

/// Epochs that are read at a time.
const CHUNK: u64 = 64;
/// How long a page may be looked for.
const BUDGET: Duration = Duration::from_millis(500);

/// Effects of an account, newest first.
pub(crate) struct Told {
    pub effects: Vec<Box<RawValue>>,
    /// The epoch before which to go on; none where the log begins.
    pub cursor: Option<u64>,
}

/// Looks for the effects of an account before an epoch: so many of them, as many epochs as there is time
/// for; the effects of one epoch are never torn.
pub(crate) fn told_of(past: &Past, account: &str, before: u64, limit: usize) -> Result<Told, Fault> {
    let (started, first) = (Instant::now(), past.first()?);
    let named = format!("\"account\":{}", serde_json::Value::from(account));
    let (mut effects, mut end) = (Vec::new(), before);
    while end > first && effects.len() < limit && started.elapsed() < BUDGET {
        let mut chunk = Vec::new();
        let mut from = end.saturating_sub(CHUNK).max(first);
        let begin = from;
        while from < end {
            let epochs = past.epochs(from, (end - from) as usize)?;
            from += epochs.len() as u64;
            chunk.extend(epochs);
        }
        end = begin;
        for epoch in chunk.into_iter().rev() {
            if effects.len() >= limit {
                end = end.max(epoch.record.number + 1);
                break;
            }
            let text = String::from_utf8_lossy(&epoch.effects).into_owned();
            let of_account = text.lines().rev().filter(|line| line.contains(&named));
            effects.extend(of_account.filter_map(|line| RawValue::from_string(line.to_owned()).ok()));
        }
    }
    Ok(Told { effects, cursor: (end > first).then_some(end) })
}
