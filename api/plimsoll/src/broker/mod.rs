//! `plimsoll broker`: a simulated broker whose day happens now, as a plain client of a server.

mod board;
mod client;
mod journal;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use plimsoll_broker::{Account, Beat, Body, Book, Config, Live, Profile, Scenario, Universe};
use plimsoll_engine::input::Phase;
use plimsoll_engine::num::{Date, Time};
use plimsoll_wire::time::parse_minute;

use crate::data::{profile, scenario};
use crate::{lifeline, serve};
use board::Board;
use client::Client;
use journal::{Journal, Told};

/// Snapshots of a day: one every three seconds, with a report of the counter after each.
const SNAPSHOTS: usize = 4_740;
/// Snapshots in which the market falls: twenty minutes of it.
const FALL: usize = 400;
/// Events that are sent at once, where they are not one snapshot.
const AT_ONCE: u64 = 4_000;
/// Bodies of the morning that are drawn while one is sent.
const AHEAD: usize = 2;
/// Longer waits of the market, before it opens and at noon, take this long.
const LONGEST_GAP_US: i64 = 3_000_000;

/// What kind of broker it is, and how fast its day goes.
#[derive(clap::Args, Clone, Debug)]
pub struct DayArgs {
    /// Accounts.
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    pub accounts: u64,
    /// Securities.
    #[arg(long, value_name = "N", default_value_t = 5_500)]
    pub securities: usize,
    /// Seed.
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub seed: u64,
    /// How many times faster than the wall the market's time goes.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub speed: u32,
    /// How prices move: calm or crash.
    #[arg(long, value_name = "WORD", default_value = "crash", value_parser = scenario)]
    pub scenario: Scenario,
    /// Which accounts there are: stress (every one in debt) or china.
    #[arg(long, value_name = "WORD", default_value = "stress", value_parser = profile)]
    pub profile: Profile,
    /// Trading days, one after the other.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub days: u32,
    /// End at this time of the market.
    #[arg(long, value_name = "HH:MM", value_parser = until, conflicts_with = "days")]
    pub until: Option<u32>,
    /// File that every body goes into once it is answered.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
}

/// Sends a simulated broker to a server: its accounts, then trading days of snapshots with a crash in each.
///
/// Whatever the wall says is its morning: events bear the time of the wall, while the market's own time,
/// which is shown, goes faster. What is not answered is sent again until it is.
#[derive(clap::Args, Debug)]
pub struct BrokerArgs {
    /// The server: http://ADDRESS.
    #[arg(long, value_name = "URL")]
    to: String,
    /// File with the key that the server asks for.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// File that says how far the broker has come: another one goes on from there.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    #[command(flatten)]
    day: DayArgs,
    /// End when standard input ends: whoever started this is gone.
    #[arg(long, hide = true)]
    lifeline: bool,
}

fn until(text: &str) -> Result<u32, String> {
    parse_minute(text).ok_or_else(|| "a time of day is HH:MM".to_owned())
}

impl DayArgs {
    fn config(&self, first_day: Date) -> Config {
        Config {
            accounts: self.accounts,
            securities: self.securities,
            seed: self.seed,
            scenario: self.scenario,
            profile: self.profile,
            snapshots: SNAPSHOTS,
            fall: FALL,
            bursts: SNAPSHOTS,
            first_day,
            ..Config::default()
        }
    }

    /// The flags that give another process the same.
    pub fn flags(&self) -> Vec<OsString> {
        let mut flags: Vec<OsString> = Vec::new();
        let mut flag = |name: &str, value: OsString| flags.extend([name.into(), value]);
        flag("--accounts", self.accounts.to_string().into());
        flag("--securities", self.securities.to_string().into());
        flag("--seed", self.seed.to_string().into());
        flag("--speed", self.speed.to_string().into());
        flag("--scenario", self.scenario.word().into());
        flag("--profile", self.profile.word().into());
        if self.days > 1 {
            flag("--days", self.days.to_string().into());
        }
        if let Some(minute) = self.until {
            flag("--until", format!("{:02}:{:02}", minute / 60, minute % 60).into());
        }
        if let Some(path) = &self.record {
            flag("--record", path.into());
        }
        flags
    }

    /// Whose journal it is: what decides what is told.
    fn who(&self) -> String {
        let DayArgs { seed, accounts, securities, scenario, profile, .. } = self;
        format!("{seed} {accounts} {securities} {} {}", scenario.word(), profile.word())
    }
}

/// The wall's clock.
fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Runs the command.
///
/// # Errors
/// What cannot be drawn or written, or a server that refuses the requests themselves.
pub fn run(args: &BrokerArgs) -> Result<(), String> {
    if args.lifeline {
        lifeline::hold();
    }
    let key = args.key_file.as_deref().map(serve::read_key).transpose()?;
    let mut journal = Journal::open(args.journal.as_deref(), &args.day.who(), now().date())?;
    let first_day = journal.first_day();
    let config = args.day.config(first_day);
    config.check().map_err(|fault| fault.to_string())?;
    let universe = Universe::new(config.seed, config.securities, first_day, config.positions);
    let book =
        Book::new(&universe, config.seed, config.accounts, config.profile, config.positions, first_day);
    let board = Arc::new(Board::new());
    let client = Client::new(&args.to, key, args.day.record.as_deref(), board.clone())?;
    let shown = board::show(board.clone(), client.clone());
    let live = Live::new(&book, &config, first_day);
    let done = Day { args: &args.day, book: &book, live, client, board: board.clone() }.run(&mut journal);
    board.end();
    // What it showed last was shown.
    let _ = shown.join();
    done
}

/// A broker at work.
struct Day<'a> {
    args: &'a DayArgs,
    book: &'a Book<'a>,
    live: Live<'a>,
    client: Client,
    board: Arc<Board>,
}

impl Day<'_> {
    fn run(&mut self, journal: &mut Journal) -> Result<(), String> {
        self.live.mute(journal.is_open());
        self.morning()?;
        self.live.mute(false);
        journal.open_book()?;
        let (past, current) = journal.days(now().date());
        for date in past {
            self.pass(date, Told::Over);
        }
        let (date, told) = current;
        let beats = if told > 0 { self.pass(date, Told::Beats(told)) } else { self.open(date)? };
        journal.told(date, Told::Beats(told))?;
        self.trade(date, &beats, told, journal)?;
        for _ in 1..self.args.days {
            let (_, (date, _)) = journal.days(now().date());
            let beats = self.open(date)?;
            journal.told(date, Told::Beats(0))?;
            self.trade(date, &beats, 0, journal)?;
        }
        Ok(())
    }

    /// Sends the securities, their closes and the accounts, drawing the next while one is sent.
    fn morning(&mut self) -> Result<(), String> {
        let started = Instant::now();
        let Day { book, live, client, board, .. } = self;
        let sent = std::thread::scope(|scope| {
            let (bodies, drawn) = sync_channel(AHEAD);
            // Muted, it draws bodies of nothing.
            scope.spawn(move || draw(book, live, |body| body.events == 0 || bodies.send(body).is_ok()));
            drawn.iter().try_fold(0, |events, body: Body| client.send(&body).map(|()| events + body.events))
        })?;
        if sent > 0 {
            let took = started.elapsed().as_secs_f64();
            board.say(&format!("{} accounts, {sent} events in {took:.1} s", self.book.len()));
        }
        Ok(())
    }

    /// Begins a day.
    fn open(&mut self, date: Date) -> Result<Vec<Beat>, String> {
        self.live.begin(now());
        let beats = self.live.open_day(date);
        self.flush()?;
        Ok(beats)
    }

    /// Lets pass what was told already of a day.
    fn pass(&mut self, date: Date, told: Told) -> Vec<Beat> {
        self.live.mute(true);
        let beats = self.live.open_day(date);
        let past = match told {
            Told::Beats(count) => &beats[..count.min(beats.len())],
            Told::Over => &beats[..],
        };
        for beat in past {
            self.live.advance(beat);
            self.live.report(beat);
        }
        if told == Told::Over {
            self.live.close_day();
        }
        self.live.mute(false);
        beats
    }

    /// Tells the beats of a day in their time, from one on, and its end.
    fn trade(
        &mut self,
        date: Date,
        beats: &[Beat],
        told: usize,
        journal: &mut Journal,
    ) -> Result<(), String> {
        let speed = i64::from(self.args.speed);
        let offsets = offsets(beats);
        let origin = offsets.get(told).copied().unwrap_or_default();
        let started = Instant::now();
        let due = |place: usize| {
            let after = offsets.get(place).map_or(i64::MAX, |offset| (offset - origin) / speed);
            Duration::from_micros(after.unsigned_abs())
        };
        for (place, beat) in beats.iter().enumerate().skip(told) {
            if self.is_over(date, beat.at) {
                return self.flush();
            }
            self.live.advance(beat);
            self.board.at(beat.at, place);
            // A snapshot that the next one has overtaken tells nobody anything.
            let overtaken = beat.phase == Phase::Continuous && started.elapsed() > due(place + 1);
            if overtaken {
                self.board.skipped();
            } else {
                std::thread::sleep(due(place).saturating_sub(started.elapsed()));
                self.flush()?;
                self.live.begin(now());
                self.live.snapshot(beat);
                self.flush()?;
            }
            self.live.begin(now());
            self.live.report(beat);
            if !overtaken || self.live.waiting() >= AT_ONCE {
                self.flush()?;
            }
            if self.live.waiting() == 0 {
                journal.told(date, Told::Beats(place + 1))?;
            }
        }
        self.flush()?;
        self.live.begin(now());
        self.live.close_day();
        self.flush()?;
        self.board.say(&format!("the day of {} is over", journal::text(date)));
        journal.told(date, Told::Over)
    }

    /// Whether the day ends before a time of the market.
    fn is_over(&self, date: Date, at: Time) -> bool {
        let minute = |minute: u32| Time(date.start().0 + i64::from(minute) * 60_000_000);
        self.args.until.is_some_and(|until| at >= minute(until))
    }

    /// Sends what waits.
    fn flush(&mut self) -> Result<(), String> {
        let body = self.live.take();
        if body.events == 0 { Ok(()) } else { self.client.send(&body) }
    }
}

/// Draws the morning and hands it over, body by body, until nobody takes one.
fn draw(book: &Book<'_>, live: &mut Live<'_>, mut hand: impl FnMut(Body) -> bool) {
    live.begin(now());
    live.securities();
    let taken = hand(live.take());
    live.begin(now());
    live.closes();
    let mut taken = taken && hand(live.take());
    let (mut account, mut number) = (Account::default(), 0);
    while taken && number < book.len() {
        live.begin(now());
        while number < book.len() && live.waiting() < AT_ONCE {
            live.account(number, &mut account);
            number += 1;
        }
        taken = hand(live.take());
    }
}

/// How long after the first beat each comes, in the market's time without its long waits.
fn offsets(beats: &[Beat]) -> Vec<i64> {
    let gap = |before: &Beat, beat: &Beat| (beat.at.0 - before.at.0).min(LONGEST_GAP_US);
    let (mut offset, mut offsets) = (0, vec![0]);
    for pair in beats.windows(2) {
        offset += gap(&pair[0], &pair[1]);
        offsets.push(offset);
    }
    offsets
}
