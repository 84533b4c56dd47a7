//! What a broker shows: on a terminal one line that changes every second, elsewhere a line every ten.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use plimsoll_engine::num::{OFFSET_US, Time};

use super::client::Client;

/// How often the end is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// What happened since it was last shown.
#[derive(Default)]
struct Figures {
    /// The market's time, and the number of its beat.
    at: Option<(Time, usize)>,
    events: u64,
    /// How long answers took, in microseconds.
    answers: Vec<u64>,
    /// Snapshots left out since the server was last behind, and refusals, in all.
    skipped: u64,
    refused: u64,
    ended: bool,
}

/// Where a broker writes what it does.
pub struct Board {
    figures: Mutex<Figures>,
    bar: Option<ProgressBar>,
}

impl Board {
    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A board; on a terminal with a line that changes.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{wide_msg}");
            ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        Board { figures: Mutex::default(), bar }
    }

    /// The market has come to a beat.
    pub fn at(&self, at: Time, beat: usize) {
        self.figures().at = Some((at, beat));
    }

    /// A body was answered.
    pub fn answered(&self, events: u64, took: Duration) {
        let mut figures = self.figures();
        figures.events += events;
        figures.answers.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// A snapshot was left out.
    pub fn skipped(&self) {
        self.figures().skipped += 1;
    }

    /// Events were refused.
    pub fn refused(&self, events: u64) {
        self.figures().refused += events;
    }

    /// Nothing more happens.
    pub fn end(&self) {
        self.figures().ended = true;
    }

    /// Says something that stays.
    pub fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => println!("{text}"),
        }
    }

    /// The line of what happened since it was last asked for.
    fn line(&self, since: Duration, tiers: Option<&[(&str, u64)]>) -> String {
        let mut figures = self.figures();
        let mut line = match figures.at {
            Some((at, beat)) => format!("{}  snapshot {beat}", time_of_day(at)),
            None => "before the market".to_owned(),
        };
        let rate = figures.events as f64 / since.as_secs_f64().max(0.001);
        figures.events = 0;
        let mut answers = std::mem::take(&mut figures.answers);
        answers.sort_unstable();
        let place = |percent: usize| {
            answers.get((answers.len() * percent / 100).min(answers.len().saturating_sub(1)))
        };
        let ms = |percent| place(percent).map_or("-".to_owned(), |&us| format!("{:.1}", us as f64 / 1000.0));
        // Writing to a text cannot fail.
        let _ = write!(line, "  {rate:.0} events/s  answers p50 {} p99 {} ms", ms(50), ms(99));
        for (name, count) in [("skipped", figures.skipped), ("refused", figures.refused)] {
            if count > 0 {
                let _ = write!(line, "  {name} {count}");
            }
        }
        match tiers {
            Some(tiers) => tiers.iter().for_each(|(tier, count)| {
                let _ = write!(line, "  {tier} {count}");
            }),
            None => line.push_str("  no answer to /v1/summary"),
        }
        line
    }
}

/// A time at the market's offset, to the second.
fn time_of_day(at: Time) -> String {
    let seconds = (at.0 + OFFSET_US).div_euclid(1_000_000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Shows a board until it ends.
pub fn show(board: Arc<Board>, client: Client) -> JoinHandle<()> {
    let every = Duration::from_secs(if board.bar.is_some() { 1 } else { 10 });
    spawn(move || {
        let mut last = Instant::now();
        loop {
            sleep(LOOK);
            let ended = board.figures().ended;
            if last.elapsed() >= every || ended {
                let tiers = client.tiers();
                let line = board.line(last.elapsed(), tiers.as_deref());
                last = Instant::now();
                match &board.bar {
                    Some(bar) if ended => bar.finish_with_message(line),
                    Some(bar) => bar.set_message(line),
                    None => println!("{line}"),
                }
            }
            if ended {
                return;
            }
        }
    })
}
