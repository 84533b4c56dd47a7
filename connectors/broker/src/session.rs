//! The timetable of a day: which snapshots come when, and after which the counter reports.

use crate::calendar::at;
use plimsoll_engine::input::Phase;
use plimsoll_engine::num::{Date, Time};

/// A point of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// When.
    pub at: Time,
    /// In which phase.
    pub phase: Phase,
    /// Whether the quotes carry limits and previous close.
    pub full: bool,
    /// Whether prices move before it.
    pub moves: bool,
    /// How long the counter's report after it may take; 0: it reports nothing.
    pub report_us: i64,
}

/// Seconds of continuous trading before and after noon (to 14:57).
const MORNING: usize = 2 * 3600;
const AFTERNOON: usize = 3600 + 57 * 60;

/// The beats of a day. Snapshots of continuous trading are even in time, on whole seconds.
#[must_use]
pub fn beats(date: Date, snapshots: usize, bursts: usize) -> Vec<Beat> {
    let still = |at, phase| Beat { at, phase, full: false, moves: false, report_us: 0 };
    let mut beats = vec![
        Beat { full: true, ..still(at(date, 9, 15, 0), Phase::OpenAuction) },
        still(at(date, 9, 20, 0), Phase::AuctionNoCancel),
        still(at(date, 9, 25, 0), Phase::PreOpen),
    ];
    let morning = (snapshots * MORNING / (MORNING + AFTERNOON)).max(1);
    let afternoon = snapshots - morning;
    let mut done = 0;
    for (start, seconds, count) in
        [(at(date, 9, 30, 0), MORNING, morning), (at(date, 13, 0, 0), AFTERNOON, afternoon)]
    {
        for place in 0..count {
            let second = |place: usize| (place * seconds / count) as i64 * 1_000_000;
            done += 1;
            // The last snapshot of each of the bursts' even shares of the day.
            let reports = done * bursts / snapshots > (done - 1) * bursts / snapshots;
            let gap = second(place + 1) - second(place);
            beats.push(Beat {
                at: Time(start.0 + second(place)),
                phase: Phase::Continuous,
                full: false,
                moves: true,
                report_us: if reports { gap } else { 0 },
            });
        }
        if start == at(date, 9, 30, 0) {
            beats.push(still(at(date, 11, 30, 0), Phase::Break));
        }
    }
    beats.push(Beat { moves: true, ..still(at(date, 14, 57, 0), Phase::CloseAuction) });
    beats.push(still(at(date, 15, 0, 0), Phase::Closed));
    beats.push(still(at(date, 15, 30, 0), Phase::AfterHours));
    beats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_snapshots_and_bursts_in_order() {
        let day = Date(20_472);
        for (snapshots, bursts) in [(2, 1), (240, 48), (241, 7), (4740, 4740)] {
            let beats = beats(day, snapshots, bursts);
            assert!(beats.windows(2).all(|pair| pair[0].at < pair[1].at));
            let continuous = beats.iter().filter(|beat| beat.phase == Phase::Continuous);
            assert_eq!(continuous.count(), snapshots);
            assert_eq!(beats.iter().filter(|beat| beat.report_us > 0).count(), bursts);
        }
    }
}
