//! Which event stands in which epoch, by the cut rules of a file replay.
//!
//! Written from the contract's words, so that a replay that cuts otherwise is seen.

use crate::scenario::text;

/// What the cut needs to know of one input line; `None` for a line without a readable envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Event time, microseconds of UTC.
    pub at: i64,
    /// The event's type.
    pub kind: String,
    /// The security of a quote or the index of an index level.
    pub priced: Option<String>,
}

const STANDS_ALONE: [&str; 5] = ["day_start", "day_end", "policy", "rules", "calendar"];
const MOST_INPUTS: usize = 65_536;

/// Numbers and clocks of the epochs of a stream.
#[derive(Debug, Default)]
pub struct Epochs {
    /// For each line, the epoch it stands in, from 1.
    pub of_line: Vec<u64>,
    /// For each epoch, its clock as effects show it; empty before any readable event.
    pub clocks: Vec<String>,
}

/// Cuts a stream of lines into epochs.
#[must_use]
pub fn cut(lines: &[Option<Envelope>]) -> Epochs {
    let mut epochs = Epochs::default();
    let mut clock: Option<i64> = None;
    let mut open_at: Option<i64> = None;
    let mut alone = false;
    let mut size = 0;
    let mut priced: Vec<(String, String)> = Vec::new();
    for line in lines {
        if epochs.clocks.is_empty() {
            epochs.clocks.push(String::new());
        }
        if let Some(event) = line {
            let stands_alone = STANDS_ALONE.contains(&event.kind.as_str());
            let names = event.priced.clone().map(|p| (event.kind.clone(), p));
            let again = names.as_ref().is_some_and(|n| priced.contains(n));
            let cuts = alone
                || again
                || open_at.is_some_and(|at| at != event.at || stands_alone || size >= MOST_INPUTS);
            if cuts {
                epochs.clocks.push(String::new());
                priced.clear();
                size = 0;
            }
            open_at = Some(event.at);
            alone = stands_alone;
            priced.extend(names);
            clock = Some(clock.map_or(event.at, |c| c.max(event.at)));
            if let (Some(shown), Some(clock)) = (epochs.clocks.last_mut(), clock) {
                *shown = text::show_instant(clock);
            }
        }
        size += 1;
        epochs.of_line.push(epochs.clocks.len() as u64);
    }
    epochs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: i64, kind: &str, priced: Option<&str>) -> Option<Envelope> {
        Some(Envelope { at, kind: kind.to_owned(), priced: priced.map(str::to_owned) })
    }

    #[test]
    fn the_cut_follows_the_lines_alone() {
        let lines = [
            None,
            line(1, "clock", None),
            line(1, "quote", Some("600001.SH")),
            None,
            line(1, "quote", Some("600002.SH")),
            line(1, "quote", Some("600001.SH")),
            line(1, "day_start", None),
            None,
            line(1, "cash", None),
            line(2, "cash", None),
        ];
        assert_eq!(cut(&lines).of_line, [1, 1, 1, 1, 1, 2, 3, 3, 4, 5]);
    }
}
