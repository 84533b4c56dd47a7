//! The service as its clients see it: a real process, real sockets, its own log on its own device.
//!
//! Every measure goes over HTTP and waits for the answer, which comes after the commit. The client shares the
//! machine with the server.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use plimsoll_broker::{Account, Beat, Body, Book, Config, Live, Profile, Scenario, Universe};
use plimsoll_engine::input::Phase;
use plimsoll_engine::num::{Date, Time};
use plimsoll_wire::time::write_time;

/// What is measured, and over what.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The binary `plimsoll`.
    pub binary: PathBuf,
    /// Where the server's directory is made; what is there goes.
    pub data: PathBuf,
    /// Accounts, every one in debt.
    pub accounts: u64,
    /// Batches of 1 000 events.
    pub batches: usize,
    /// Single events at 1 000 a second.
    pub singles: usize,
    /// Snapshots of all securities by each way of sending them, and the time between two.
    pub snapshots: usize,
    /// See `snapshots`.
    pub every: Duration,
    /// Clients of the stream, one of which never reads.
    pub listeners: usize,
    /// Restarts after a plain end, and after SIGKILL under load.
    pub restarts: usize,
}

/// Events of a batch.
const BATCH: usize = 1_000;
/// Quotes of a batch; the others are deposits.
const QUOTES: usize = 800;
/// Connections of the client.
const CONNECTIONS: usize = 4;
/// Single events a second.
const SINGLES_A_SECOND: u64 = 1_000;
/// Events of a body of the morning.
const AT_ONCE: u64 = 4_000;
/// Securities.
const SECURITIES: usize = 5_500;
/// Snapshots in which the market falls.
const FALL: usize = 100;
/// Ways of sending a snapshot: in one body, in batches, in one body with clients of the stream.
const WAYS: usize = 3;
/// Snapshots of a way before the next has its turn, so that all see the same market.
const TURN: usize = 10;
const SEED: u64 = 7;

/// A server.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts one; gives how long it took until it listens.
    fn start(plan: &Plan) -> (Self, Duration) {
        let log = File::options().create(true).append(true).open(plan.data.with_extension("log"));
        let started = Instant::now();
        let mut child = Command::new(&plan.binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--lifeline", "--data"])
            .arg(&plan.data)
            // It ends with this process, however that ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.expect("a file for its words"))
            .spawn()
            .expect("the binary starts");
        let mut first = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("its output"));
        out.read_line(&mut first).expect("its first line");
        let address = first.trim().strip_prefix("listening on http://").expect("it listens");
        (Server { child, address: address.parse().expect("an address") }, started.elapsed())
    }

    /// Asks it to end, and waits.
    fn end(mut self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(asked.is_ok_and(|status| status.success()), "it is asked to end");
        assert!(self.child.wait().is_ok_and(|status| status.success()), "it ends well");
    }

    fn kill(mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it is gone");
    }

    /// Bytes that it has given to the device.
    fn written(&self) -> u64 {
        let io = std::fs::read_to_string(format!("/proc/{}/io", self.child.id())).unwrap_or_default();
        let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
    }
}

/// A connection that is kept.
struct Client(BufReader<TcpStream>);

impl Client {
    fn to(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("a connection");
        socket.set_nodelay(true).expect("no delay");
        Client(BufReader::new(socket))
    }

    /// Sends a request; gives the body of the answer and how long it took after the last byte was sent.
    fn request(&mut self, method: &str, path: &str, body: &[u8]) -> std::io::Result<(Vec<u8>, Duration)> {
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-length: {}\r\n\r\n", body.len())
                .into_bytes();
        request.extend_from_slice(body);
        self.0.get_mut().write_all(&request)?;
        let sent = Instant::now();
        let (mut line, mut length, mut good) = (String::new(), 0, false);
        loop {
            line.clear();
            if self.0.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            good |= line.starts_with("HTTP/1.1 200");
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().expect("a length");
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer)?;
        assert!(good, "{}", String::from_utf8_lossy(&answer));
        Ok((answer, sent.elapsed()))
    }

    fn post(&mut self, body: &[u8]) -> Duration {
        self.request("POST", "/v1/events", body).expect("an answer").1
    }
}

/// Times, and what of them is told.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    /// `p50_ms … p99_ms … max_ms …`
    fn told(mut self) -> String {
        self.0.sort_unstable();
        let at = |hundredths: usize| {
            let place = (self.0.len() * hundredths).div_ceil(100).saturating_sub(1);
            self.0.get(place).copied().unwrap_or_default().as_secs_f64() * 1e3
        };
        format!("p50_ms {:.3} p99_ms {:.3} max_ms {:.3}", at(50), at(99), at(100))
    }
}

/// What was measured of a way of sending snapshots.
#[derive(Default)]
struct Way {
    /// From the last byte sent to the answer.
    last: Times,
    /// From the first.
    whole: Times,
    /// The mean step of each turn.
    step_ms: Vec<f64>,
}

impl Way {
    fn told(self, every_ms: u128) -> String {
        let (count, step) = (self.last.0.len(), mean(&self.step_ms));
        let whole = self.whole.told().replace("_ms", "_of_all_ms");
        format!("snapshots {count} every_ms {every_ms} {} {whole} step_ms {step:.3}", self.last.told())
    }
}

fn mean(of: &[f64]) -> f64 {
    of.iter().sum::<f64>() / of.len().max(1) as f64
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Time(i64::try_from(since.as_micros()).expect("a time"))
}

fn text(at: Time) -> String {
    let mut out = Vec::new();
    write_time(&mut out, at);
    String::from_utf8(out).expect("text")
}

/// Bytes of all files of a folder and those in it.
fn bytes_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(about) if about.is_dir() => bytes_of(&entry.path()),
        Ok(about) => about.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

/// The service under measurement.
struct Bench<'a> {
    plan: &'a Plan,
    server: Option<Server>,
    client: Client,
    live: Live<'a>,
    beats: std::vec::IntoIter<Beat>,
    /// Bytes of events that were posted.
    posted: u64,
    accounts: Vec<String>,
    securities: Vec<String>,
}

/// Measures all of it; gives a line for each measure.
///
/// # Panics
/// Where the service does not answer as it should.
pub fn run(plan: &Plan, mut say: impl FnMut(String)) {
    let _ = std::fs::remove_dir_all(&plan.data);
    let first_day = now().date();
    let config = Config {
        accounts: plan.accounts,
        securities: SECURITIES,
        seed: SEED,
        scenario: Scenario::Crash,
        snapshots: 4_740,
        fall: FALL,
        bursts: 4_740,
        first_day,
        ..Config::default()
    };
    let universe = Universe::new(SEED, config.securities, first_day, config.positions);
    let book = Book::new(&universe, SEED, plan.accounts, Profile::Stress, config.positions, first_day);
    let live = Live::new(&book, &config, first_day);
    let (server, _) = Server::start(plan);
    let client = Client::to(server.address);
    let (accounts, securities, beats) = (Vec::new(), Vec::new(), Vec::new().into_iter());
    let mut bench =
        Bench { plan, server: Some(server), client, live, beats, posted: 0, accounts, securities };
    say(bench.open(&book, first_day));
    say(bench.batches());
    say(bench.singles());
    bench.day().into_iter().for_each(&mut say);
    say(bench.pauses());
    say(bench.sizes());
    say(bench.restarts());
    say(bench.kills());
    let (summary, _) = bench.client.request("GET", "/v1/summary", b"").expect("a summary");
    let summary = String::from_utf8_lossy(&summary).into_owned();
    let tiers =
        summary.split("\"tiers\":").nth(1).and_then(|rest| rest.split('}').next()).unwrap_or_default();
    let digest = &blake3::hash(tiers.as_bytes()).to_hex()[..16];
    say(format!("end: digest {digest} tiers {}", tiers.trim_start_matches('{').replace('"', "")));
    if let Some(server) = bench.server {
        server.end();
    }
}

impl Bench<'_> {
    fn address(&self) -> SocketAddr {
        self.server.as_ref().expect("a server").address
    }

    fn send(&mut self, body: &Body) -> Duration {
        self.posted += body.lines.len() as u64;
        self.client.post(&body.lines)
    }

    /// The morning: securities, closes, accounts with their openings, the day.
    fn open(&mut self, book: &Book<'_>, first_day: Date) -> String {
        let (started, mut events) = (Instant::now(), 0);
        self.live.begin(now());
        self.live.securities();
        let body = self.live.take();
        self.securities = field(&body.lines, "\"security\":\"");
        events += body.events;
        self.send(&body);
        self.live.begin(now());
        self.live.closes();
        let closes = self.live.take();
        self.send(&closes);
        let (mut account, mut number) = (Account::default(), 0);
        while number < book.len() {
            self.live.begin(now());
            while number < book.len() && self.live.waiting() < AT_ONCE {
                self.live.account(number, &mut account);
                number += 1;
            }
            let body = self.live.take();
            events += body.events;
            if self.accounts.len() < 10_000 {
                self.accounts.extend(field(&body.lines, "\"account\":\""));
            }
            self.send(&body);
        }
        let took = started.elapsed().as_secs_f64();
        self.live.begin(now());
        self.beats = self.live.open_day(first_day).into_iter();
        let body = self.live.take();
        self.send(&body);
        format!(
            "open: accounts {} events {events} seconds {took:.2} events_per_s {:.0}",
            book.len(),
            events as f64 / took
        )
    }

    /// Batches over several connections: durable events a second.
    fn batches(&mut self) -> String {
        let at = text(now());
        let mut bodies = Vec::new();
        for batch in 0..self.plan.batches {
            let mut body = String::new();
            for place in 0..QUOTES {
                let security = &self.securities[(batch * QUOTES + place) % self.securities.len()];
                body += &format!(
                    "{{\"v\":1,\"type\":\"quote\",\"id\":\"b{batch}-{place}\",\"source\":\"batch\",\"at\":\"{at}\",\"security\":\"{security}\",\"price\":\"{}.{:02}\"}}\n",
                    5 + place % 20,
                    batch % 100
                );
            }
            for place in 0..BATCH - QUOTES {
                body += &self.deposit(&format!("d{batch}-{place}"), batch * (BATCH - QUOTES) + place, &at);
            }
            bodies.push(body);
        }
        self.posted += bodies.iter().map(|body| body.len() as u64).sum::<u64>();
        let (started, address) = (Instant::now(), self.address());
        std::thread::scope(|scope| {
            for connection in 0..CONNECTIONS {
                let bodies = bodies.iter().skip(connection).step_by(CONNECTIONS);
                scope.spawn(move || {
                    let mut client = Client::to(address);
                    for body in bodies {
                        client.post(body.as_bytes());
                    }
                });
            }
        });
        let (took, events) = (started.elapsed().as_secs_f64(), bodies.len() * BATCH);
        format!("batches: events {events} seconds {took:.2} events_per_s {:.0}", events as f64 / took)
    }

    fn deposit(&self, id: &str, of: usize, at: &str) -> String {
        let account = &self.accounts[of % self.accounts.len()];
        format!(
            "{{\"v\":1,\"type\":\"cash\",\"id\":\"{id}\",\"source\":\"bank\",\"at\":\"{at}\",\"account\":\"{account}\",\"amount\":\"100.00\",\"reason\":\"deposit\"}}\n"
        )
    }

    /// Single events at their times, over several connections: from when one is due to its answer.
    fn singles(&mut self) -> String {
        let at = text(now());
        let bodies: Vec<String> =
            (0..self.plan.singles).map(|n| self.deposit(&format!("s{n}"), n * 7, &at)).collect();
        self.posted += bodies.iter().map(|body| body.len() as u64).sum::<u64>();
        let (started, address) = (Instant::now(), self.address());
        let threads = 2 * CONNECTIONS;
        let times: Vec<Duration> = std::thread::scope(|scope| {
            let work = |thread: usize| {
                let bodies = &bodies;
                scope.spawn(move || {
                    let mut client = Client::to(address);
                    let mut times = Vec::new();
                    for n in (thread..bodies.len()).step_by(threads) {
                        let due = Duration::from_micros(n as u64 * 1_000_000 / SINGLES_A_SECOND);
                        std::thread::sleep(due.saturating_sub(started.elapsed()));
                        client.post(bodies[n].as_bytes());
                        times.push(started.elapsed().saturating_sub(due));
                    }
                    times
                })
            };
            let all: Vec<_> = (0..threads).map(work).collect();
            all.into_iter().flat_map(|thread| thread.join().expect("a client")).collect()
        });
        format!("singles: events {} per_s {SINGLES_A_SECOND} {}", times.len(), Times(times).told())
    }

    /// The next snapshot of continuous trading.
    fn snapshot(&mut self) -> Body {
        self.live.begin(now());
        loop {
            let beat = self.beats.next().expect("a day is long enough");
            self.live.advance(&beat);
            if beat.phase == Phase::Continuous {
                self.live.snapshot(&beat);
                return self.live.take();
            }
        }
    }

    /// Snapshots while the market falls and recovers, by each way in turn.
    fn day(&mut self) -> Vec<String> {
        // The first prices of a day are no snapshot like others: they move all that the batches moved back. The
        // server lets go of a connection that nothing came over for a while.
        self.client = Client::to(self.address());
        let first = self.snapshot();
        let first = self.send(&first).as_secs_f64() * 1e3;
        let [mut one, mut pieces, mut listened] = <[Way; WAYS]>::default();
        let (mut bytes, mut left) = (0, self.plan.snapshots);
        while left > 0 {
            let count = left.min(TURN);
            left -= count;
            self.turn(&mut one, count, usize::MAX);
            self.turn(&mut pieces, count, BATCH);
            bytes += self.listened(|bench| bench.turn(&mut listened, count, usize::MAX));
        }
        let (listeners, every) = (self.plan.listeners, self.plan.every.as_millis());
        // By how much longer a step took with the clients than without, from turn to turn.
        let longer: Vec<f64> =
            one.step_ms.iter().zip(&listened.step_ms).map(|(alone, with)| with - alone).collect();
        let mean = mean(&longer);
        let squares: f64 = longer.iter().map(|one| (one - mean).powi(2)).sum();
        let error = (squares / (longer.len() * longer.len().saturating_sub(1).max(1)) as f64).sqrt();
        let [one, pieces, listened] = [one, pieces, listened].map(|way| way.told(every));
        vec![
            format!("first: ms {first:.3}"),
            format!("snapshots: {one}"),
            format!("pieces: {pieces}"),
            format!(
                "listened: {listened} listeners {listeners} bytes {bytes} longer_ms {mean:.3} error_ms {error:.3}"
            ),
        ]
    }

    /// Snapshots in their time, so many lines a body: from the last byte sent to the answer, which says that
    /// all is committed, and from the first.
    fn turn(&mut self, way: &mut Way, count: usize, lines: usize) {
        self.client = Client::to(self.address());
        let before = self.steps();
        for _ in 0..count {
            let started = Instant::now();
            let body = self.snapshot();
            self.posted += body.lines.len() as u64;
            let all: Vec<&[u8]> = body.lines.split_inclusive(|&byte| byte == b'\n').collect();
            let bodies: Vec<Vec<u8>> = all.chunks(lines).map(<[&[u8]]>::concat).collect();
            let begun = Instant::now();
            let last = bodies.iter().map(|body| self.client.post(body)).last();
            way.whole.0.push(begun.elapsed());
            way.last.0.extend(last);
            std::thread::sleep(self.plan.every.saturating_sub(started.elapsed()));
        }
        let after = self.steps();
        way.step_ms.push((after[0] - before[0]) * 1e3 / (after[1] - before[1]));
    }

    /// Works while clients of the stream listen, one of which never reads; gives the bytes the others heard.
    fn listened(&mut self, work: impl FnOnce(&mut Self)) -> u64 {
        let (ended, address) = (AtomicBool::new(false), self.address());
        let listener = |_| {
            let mut socket = TcpStream::connect(address).expect("a connection");
            socket
                .write_all(b"GET /v1/stream?type=tier_changed HTTP/1.1\r\nhost: bench\r\n\r\n")
                .expect("asked");
            socket.set_nonblocking(true).expect("set");
            socket
        };
        let mut sockets: Vec<TcpStream> = (0..self.plan.listeners).map(listener).collect();
        let stuck = sockets.pop();
        let bytes = std::thread::scope(|scope| {
            let ended = &ended;
            let reader = scope.spawn(move || {
                let (mut bytes, mut buffer) = (0, vec![0; 1 << 16]);
                while !ended.load(Ordering::Acquire) {
                    for socket in &mut sockets {
                        while let Ok(read @ 1..) = socket.read(&mut buffer) {
                            bytes += read as u64;
                        }
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
                bytes
            });
            work(self);
            ended.store(true, Ordering::Release);
            reader.join().expect("a reader")
        });
        drop(stuck);
        // The server takes leave of them before the next turn.
        std::thread::sleep(self.plan.every);
        bytes
    }

    /// Metrics of the service, by the beginning of their lines.
    fn metrics<const N: usize>(&mut self, names: [&str; N]) -> [f64; N] {
        let (metrics, _) = self.client.request("GET", "/metrics", b"").expect("metrics");
        let metrics = String::from_utf8_lossy(&metrics).into_owned();
        names.map(|name| {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)).expect("a metric");
            line.trim().parse().expect("a number")
        })
    }

    /// Seconds in steps so far, and how many there were, as the service counts them.
    fn steps(&mut self) -> [f64; 2] {
        self.metrics(["plimsoll_step_seconds_sum ", "plimsoll_step_seconds_count "])
    }

    /// How often a snapshot of the state held the writer up, and how often for longer than two of the
    /// classes the service counts by: the one above 10 ms, and the one below.
    fn pauses(&mut self) -> String {
        self.client = Client::to(self.address());
        let [all, of_6, of_12] = self.metrics([
            "plimsoll_snapshot_pause_seconds_count ",
            "plimsoll_snapshot_pause_seconds_bucket{le=\"0.0064\"} ",
            "plimsoll_snapshot_pause_seconds_bucket{le=\"0.0128\"} ",
        ]);
        format!("pauses: times {all} over_6.4_ms {} over_12.8_ms {}", all - of_6, all - of_12)
    }

    /// What the log takes of what was posted, and the device of the log.
    fn sizes(&self) -> String {
        let (log, snapshots) = (
            bytes_of(&self.plan.data.join("log")) + bytes_of(&self.plan.data.join("archive")),
            bytes_of(&self.plan.data.join("snapshots")),
        );
        format!(
            "sizes: posted_bytes {} log_bytes {log} log_share {:.3} snapshot_bytes {snapshots} device_bytes {}",
            self.posted,
            log as f64 / self.posted as f64,
            self.server.as_ref().map_or(0, Server::written)
        )
    }

    /// Ends the server in some way and starts another; gives how long until that one listens.
    fn again(&mut self, end: fn(Server)) -> Duration {
        if let Some(server) = self.server.take() {
            end(server);
        }
        let (server, took) = Server::start(self.plan);
        self.client = Client::to(server.address);
        self.server = Some(server);
        took
    }

    /// A plain end and a start, again and again.
    fn restarts(&mut self) -> String {
        let times = Times((0..self.plan.restarts).map(|_| self.again(Server::end)).collect());
        format!("restarts: times {} {}", self.plan.restarts, times.told())
    }

    /// SIGKILL after snapshots that came as fast as they were answered.
    fn kills(&mut self) -> String {
        let mut times = Times::default();
        for n in 0..self.plan.restarts {
            for _ in 0..20 + 13 * n {
                let body = self.snapshot();
                self.send(&body);
            }
            times.0.push(self.again(Server::kill));
        }
        format!("kills: times {} {}", self.plan.restarts, times.told())
    }
}

/// The values of a field in lines of events, in order of first appearance.
fn field(lines: &[u8], key: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in String::from_utf8_lossy(lines).lines() {
        let value = line.split(key).nth(1).and_then(|rest| rest.split('"').next());
        if let Some(value) = value.filter(|value| all.last().is_none_or(|last| last != value)) {
            all.push(value.to_owned());
        }
    }
    all
}
