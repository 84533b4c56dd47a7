//! `plimsoll generate`, `plimsoll import` and `plimsoll report`: files made and read, no engine.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use plimsoll_broker::{Config, Profile, Scenario};
use plimsoll_files::Format;
use plimsoll_market::{Day, ImportOptions, Set};

/// Generates a seeded broker: securities, accounts, openings and days of trading, and `manifest.json`.
///
/// Files are numbered: replay them in the order of their names. The same seed gives the same bytes.
#[derive(clap::Args, Debug)]
pub struct GenerateArgs {
    /// Folder of the files; made where it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Accounts.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    accounts: u64,
    /// Securities.
    #[arg(long, value_name = "N", default_value_t = 5_500)]
    securities: usize,
    /// Only a book, on securities that exist: `securities.csv` of an import, or its folder.
    #[arg(long, value_name = "PATH")]
    securities_from: Option<PathBuf>,
    /// Trading days.
    #[arg(long, value_name = "N", default_value_t = 1)]
    days: usize,
    /// Seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How prices move: calm or crash.
    #[arg(long, value_name = "WORD", default_value = "calm", value_parser = scenario)]
    scenario: Scenario,
    /// Which accounts there are: stress (every one in debt) or china.
    #[arg(long, value_name = "WORD", default_value = "stress", value_parser = profile)]
    profile: Profile,
    /// Form of the files: ndjson or parquet (counter events stay NDJSON, in between).
    #[arg(long, value_name = "WORD", default_value = "ndjson", value_parser = format)]
    format: Format,
    /// Snapshots of each day's continuous trading.
    #[arg(long, value_name = "N", default_value_t = 240)]
    snapshots: usize,
    /// Positions of an account, in the mean.
    #[arg(long, value_name = "N", default_value_t = 8)]
    positions: u64,
}

/// A scenario of the command line.
///
/// # Errors
/// Names those there are.
pub fn scenario(word: &str) -> Result<Scenario, String> {
    Scenario::parse(word).ok_or_else(|| "calm or crash".to_owned())
}

/// A profile of the command line.
///
/// # Errors
/// Names those there are.
pub fn profile(word: &str) -> Result<Profile, String> {
    Profile::parse(word).ok_or_else(|| "stress or china".to_owned())
}

fn format(word: &str) -> Result<Format, String> {
    match word {
        "ndjson" => Ok(Format::Ndjson),
        "parquet" => Ok(Format::Parquet),
        _ => Err("ndjson or parquet".to_owned()),
    }
}

/// Runs `plimsoll generate`.
///
/// # Errors
/// A value out of bounds, or a file that cannot be written.
pub fn generate(args: &GenerateArgs) -> Result<(), String> {
    let usual = Config::default();
    let config = Config {
        out: args.out.clone(),
        accounts: args.accounts,
        securities: args.securities,
        securities_from: args.securities_from.clone(),
        days: args.days,
        seed: args.seed,
        scenario: args.scenario,
        profile: args.profile,
        format: args.format,
        snapshots: args.snapshots,
        positions: args.positions,
        // The counter reports after a snapshot: not more often than there are any.
        bursts: usual.bursts.min(args.snapshots),
        ..usual
    };
    let manifest = plimsoll_broker::generate(&config).map_err(|fault| fault.to_string())?;
    println!("{} events in {} files under {}", manifest.events(), manifest.files.len(), args.out.display());
    Ok(())
}

/// Turns the real market files into event files, one folder a set.
#[derive(clap::Args, Debug)]
pub struct ImportArgs {
    /// Folder of the market files.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where the folders of the sets go.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Only these sets.
    #[arg(long, value_name = "SET", value_parser = set)]
    set: Vec<Set>,
    /// First trading day, with one set of bars.
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: Option<Day>,
    /// Last trading day, with one set of bars.
    #[arg(long, value_name = "DATE", value_parser = day)]
    to: Option<Day>,
}

fn set(name: &str) -> Result<Set, String> {
    Set::parse(name).ok_or_else(|| Set::ALL.map(Set::name).join(", "))
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| "a date is YYYY-MM-DD".to_owned())
}

/// Runs `plimsoll import`.
///
/// # Errors
/// A source that is missing or does not hold what it should.
pub fn import(args: &ImportArgs) -> Result<(), String> {
    let options = ImportOptions {
        data: args.data.clone(),
        out: args.out.clone(),
        sets: args.set.clone(),
        from: args.from,
        to: args.to,
    };
    let summary = plimsoll_market::import(&options).map_err(|fault| fault.to_string())?;
    print!("{summary}");
    Ok(())
}

/// Prints the day table of a replay as Markdown: accounts per tier at each day's end, settlement
/// calls, intraday crossings of `immediate`, and how much earlier an intraday line saw an account.
#[derive(clap::Args, Debug)]
pub struct ReportArgs {
    /// Effects of the replay.
    #[arg(long, value_name = "FILE")]
    effects: PathBuf,
    /// State lines of the replay: counts the accounts in no tier too, and checks the last day.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

/// Runs `plimsoll report`.
///
/// # Errors
/// A file that cannot be read, or effects and states that disagree.
pub fn report(args: &ReportArgs) -> Result<(), String> {
    let open = |path: &Path| {
        File::open(path).map(BufReader::new).map_err(|cause| format!("{}: {cause}", path.display()))
    };
    let mut effects = open(&args.effects)?;
    let mut states = args.state.as_deref().map(open).transpose()?;
    let states = states.as_mut().map(|states| states as &mut dyn BufRead);
    plimsoll_market::report(&mut effects, states, &mut io::stdout().lock()).map_err(|fault| fault.to_string())
}
