//! The demo as who runs it sees it: three real processes, each of them killed, and a day that goes on.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use plimsoll_tests::folder::Folder;
use plimsoll_tests::scenario::run::binary;
use plimsoll_tests::service::{Listener, Server};

/// A small demo: a snapshot every ten milliseconds, the market down by a tenth after four seconds.
struct Demo {
    child: Child,
    address: SocketAddr,
    server: u32,
    broker: u32,
    said: Receiver<String>,
}

/// How long a line may let wait for it.
const PATIENCE: Duration = Duration::from_secs(60);

impl Demo {
    fn start(data: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(binary().expect("the binary"));
        command.args(["demo", "--listen", "127.0.0.1:0", "--accounts", "2000", "--securities", "200"]);
        command.args(["--speed", "300", "--data"]).arg(data).args(more);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("a process");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let (tell, said) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).for_each(|line| {
                let _ = tell.send(line);
            });
        });
        let first = wait_for(&said, "plimsoll demo: http://");
        let address = first.rsplit('/').next().and_then(|address| address.parse().ok()).expect("an address");
        let second = wait_for(&said, "server: process");
        let id = |after: &str| number(second.split(after).nth(1).expect("a process"));
        let (server, broker) = (id("server: process "), id("broker: process "));
        Demo { child, address, server, broker, said }
    }

    /// The next line with some words, without those before it.
    fn hears(&self, words: &str) -> String {
        wait_for(&self.said, words)
    }

    /// Waits until it ends by itself, or what it was sent makes it.
    fn ends(mut self) -> Option<i32> {
        let status = self.child.wait().expect("an end");
        for process in [self.server, self.broker] {
            assert!(!runs(process), "process {process} is left over");
        }
        status.code()
    }
}

fn wait_for(said: &Receiver<String>, words: &str) -> String {
    loop {
        let line = said.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("never said: {words}"));
        println!("{line}");
        if line.contains(words) {
            return line;
        }
    }
}

/// The number that a text begins with.
fn number(text: &str) -> u32 {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().expect("a number")
}

fn runs(process: u32) -> bool {
    let line = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
    line.contains("plimsoll")
}

fn signal(process: u32, name: &str) {
    let sent = Command::new("kill").args([name, &process.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "no process {process}");
}

/// Waits for a change of tier that prices brought about.
fn falls(listener: &mut Listener) {
    while !listener.next_told().expect("a change of tier").2.contains(r#""kind":"price""#) {}
}

/// Replays a log or a file; gives the effects and the state of every account.
fn replay(folder: &Folder, input: &Path) -> (String, String) {
    let (effects, state) = (folder.join("effects"), folder.join("state"));
    let mut command = Command::new(binary().expect("the binary"));
    command.arg("replay").arg(input).arg("--effects").arg(&effects).arg("--state").arg(&state);
    let done = command.output().expect("a replay");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    (fs::read_to_string(effects).expect("effects"), fs::read_to_string(state).expect("a state"))
}

/// Nothing was refused, and of what is numbered nothing is missing.
fn assert_whole(effects: &str) {
    for bad in [r#""type":"refused""#, r#""kind":"gap""#, r#""kind":"suspect""#] {
        let line = effects.lines().find(|line| line.contains(bad));
        assert!(line.is_none(), "{line:?}");
    }
}

#[test]
fn a_server_killed_in_the_crash_is_started_again_and_the_day_goes_on() {
    let folder = Folder::new("demo-killed");
    let record = folder.join("answered.ndjson");
    let answered = ["--until", "09:50", "--record", record.to_str().expect("text")];
    let mut demo = Demo::start(&folder.join("data"), &answered);
    for how in ["-9", "-9", "-TERM"] {
        falls(&mut Listener::on(demo.address, "?type=tier_changed", None));
        signal(demo.server, how);
        let line = demo.hears("the server was ended and is started again: process ");
        demo.server = number(line.rsplit(' ').next().expect("a process"));
        demo.hears("answered after");
    }
    assert_eq!(demo.ends(), Some(0));
    let (effects, state) = replay(&folder, &folder.join("data"));
    assert_whole(&effects);
    // All that was answered was applied, and once: a run that nobody killed comes to the same figures.
    let (undisturbed, figures) = replay(&folder, &record);
    assert_whole(&undisturbed);
    assert_eq!(state.lines().count(), 2_000);
    assert!(state == figures, "other figures");
}

#[test]
fn a_broker_killed_goes_on_and_the_log_replays_to_what_was_streamed() {
    let folder = Folder::new("demo-streamed");
    let mut demo = Demo::start(&folder.join("data"), &["--until", "09:45"]);
    // The first epoch is of securities, and has no effects.
    let mut listener = Listener::on(demo.address, "", Some("1-0"));
    let mut told = Vec::new();
    while !told.last().is_some_and(|(_, _, effect): &(_, _, String)| effect.contains(r#""kind":"price""#)) {
        told.push(listener.next_told().expect("an effect"));
    }
    signal(demo.broker, "-9");
    let line = demo.hears("the broker was ended and is started again: process ");
    demo.broker = number(line.rsplit(' ').next().expect("a process"));
    told.extend(std::iter::from_fn(|| listener.next_told()));
    assert_eq!(demo.ends(), Some(0));
    let (effects, _) = replay(&folder, &folder.join("data"));
    assert_whole(&effects);
    // What the end of the server cut off is told by the next one.
    let server = Server::start(&folder.join("data"), &[]).expect("a server");
    let last = told.last().map(|(id, ..)| id.clone());
    let mut rest = Listener::on(server.address, "", last.as_deref());
    while told.len() < effects.lines().count() {
        told.push(rest.next_told().expect("an effect"));
    }
    server.kill();
    assert!(told.iter().map(|(_, _, effect)| effect.as_str()).eq(effects.lines()), "other effects");
}

#[test]
fn a_demo_leaves_nobody_behind_and_another_goes_on_with_its_day() {
    let folder = Folder::new("demo-ended");
    let mut demo = Demo::start(&folder.join("data"), &[]);
    falls(&mut Listener::on(demo.address, "?type=tier_changed", None));
    demo.child.kill().expect("killed");
    let since = Instant::now();
    while runs(demo.server) || runs(demo.broker) {
        assert!(since.elapsed() < PATIENCE, "they are left over");
        std::thread::sleep(Duration::from_millis(20));
    }
    let demo = Demo::start(&folder.join("data"), &[]);
    falls(&mut Listener::on(demo.address, "?type=tier_changed", None));
    signal(demo.child.id(), "-TERM");
    assert_eq!(demo.ends(), Some(0));
    let demo = Demo::start(&folder.join("data"), &["--until", "09:50"]);
    let until = demo.hears("snapshot");
    assert!(until.starts_with("09:49:57"), "{until}");
    assert_eq!(demo.ends(), Some(0));
    assert_whole(&replay(&folder, &folder.join("data")).0);
}

#[test]
fn a_directory_of_another_broker_is_refused() {
    let folder = Folder::new("demo-another");
    let demo = Demo::start(&folder.join("data"), &["--until", "09:31"]);
    assert_eq!(demo.ends(), Some(0));
    let mut command = Command::new(binary().expect("the binary"));
    command
        .args(["demo", "--listen", "127.0.0.1:0", "--accounts", "3000", "--data"])
        .arg(folder.join("data"));
    let done = command.output().expect("a demo");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.code() == Some(1) && said.contains("the journal of another broker"), "{said}");
}

/// The second day of a broker began only with another process, which let the first pass again before it.
#[test]
fn a_broker_goes_on_with_the_next_day() {
    let folder = Folder::new("demo-days");
    let server = Server::start(&folder.join("data"), &[]).expect("a server");
    let mut command = Command::new(binary().expect("the binary"));
    command.args(["broker", "--days", "2", "--accounts", "50", "--securities", "100", "--speed", "1000000"]);
    command.args(["--to", &format!("http://{}", server.address), "--journal"]).arg(folder.join("journal"));
    let done = command.output().expect("a broker");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && !said.contains("refused"), "{said}");
    let journal = fs::read_to_string(folder.join("journal")).expect("a journal");
    let over: Vec<&str> = journal.lines().filter_map(|line| line.strip_suffix(" over")).collect();
    assert!(over.len() == 2 && over[0] < over[1], "{over:?}");
    assert!(over.iter().all(|day| said.contains(&format!("the day of {day} is over"))), "{said}");
    assert_eq!(server.end(), Some(0));
    assert_whole(&replay(&folder, &folder.join("data")).0);
}
