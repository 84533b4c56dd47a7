//! The service is killed under load, again and again, wherever on the way of an epoch it happens to be:
//! every answered submission is there, nothing is there twice, and the day comes to what an undisturbed
//! one comes to.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use plimsoll_log::Reader;
use plimsoll_tests::folder::Folder;
use plimsoll_tests::service::{Server, request};
use plimsoll_tests::streams::rng::Rng;
use serde_json::{Value, json};

/// A folder of its own, gone at the end.
const ACCOUNTS: usize = 60;
const SECURITIES: usize = 12;
const KILLS: u32 = 110;
const MOST_SUBMISSIONS: usize = 20_000;

/// A submission: events of one instant, cut as one epoch.
fn submission(n: usize, dice: &mut Rng) -> String {
    let at = format!("2026-01-19T{:02}:{:02}:{:02}+08:00", 9 + n / 3600, n / 60 % 60, n % 60);
    let event = |kind: &str, id: String, rest: Value| {
        let mut event = json!({"v": 1, "type": kind, "id": id, "source": "load", "at": at});
        event.as_object_mut().expect("an object").extend(rest.as_object().expect("fields").clone());
        event.to_string() + "\n"
    };
    let code = |k: usize| format!("{:06}.SH", 600_000 + k);
    if n == 0 {
        let security = |k: usize| {
            event(
                "security",
                format!("s{k}"),
                json!({"security": code(k), "name": "x", "class": "a_share",
                "board": "main", "collateral": true, "financing": true, "shorting": true, "haircut": "0.6"}),
            )
        };
        let account = |k: usize| {
            event(
                "account",
                format!("a{k}"),
                json!({"account": format!("A{k}"), "customer": format!("C{k}"),
                "client_class": "individual"}),
            )
        };
        let opening = |k: usize| {
            event(
                "opening",
                format!("o{k}"),
                json!({"account": format!("A{k}"), "cash": "0",
                "positions": [{"security": code(k % SECURITIES), "quantity": 2000}],
                "contracts": [{"contract": format!("D{k}"), "side": "financing", "security": code(k % SECURITIES),
                    "quantity": 1000, "amount": format!("{}", 9_000 + 100 * k), "opened": "2026-01-05"}]}),
            )
        };
        let all = (0..SECURITIES).map(security).chain((0..ACCOUNTS).flat_map(|k| [account(k), opening(k)]));
        return all.collect();
    }
    let mut lines = String::new();
    for k in 0..SECURITIES {
        let price = format!("{}.{:02}", 5 + dice.below(6), dice.below(100));
        lines += &event("quote", format!("q{n}-{k}"), json!({"security": code(k), "price": price}));
    }
    for _ in 0..dice.below(4) {
        let of = dice.below(ACCOUNTS);
        let amount = format!("{}", 10 + dice.below(500));
        lines += &event(
            "cash",
            format!("c{n}-{}", lines.len()),
            json!({"account": format!("A{of}"), "amount": amount, "reason": "deposit"}),
        );
    }
    lines
}

fn submissions(count: usize) -> Vec<String> {
    let mut dice = Rng::new(5);
    (0..count).map(|n| submission(n, &mut dice)).collect()
}

/// The phases, in the order of their bytes.
const PHASES: [&str; 5] =
    ["in recovery", "waiting", "before append", "in append", "after sync, before answer"];

fn phase(file: &Path) -> (usize, bool) {
    let mut byte = [1];
    // A file that is not there yet is one of a process that waits for its own beginning.
    let _ = File::open(file).and_then(|file| file.read_exact_at(&mut byte, 0));
    (usize::from(byte[0] & 0x7f).min(PHASES.len() - 1), byte[0] & 0x80 != 0)
}

/// What was told, without what depends on the wall's clock and the numbers of epochs.
fn told(folder: &Path) -> Vec<Value> {
    let (mut reader, mut all) = (Reader::from(folder, 1).expect("a log"), Vec::new());
    while let Some((epoch, _)) = reader.next_epoch().expect("an epoch") {
        for line in epoch.effects.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let mut effect: Value = serde_json::from_slice(line).expect("an effect");
            let fields = effect.as_object_mut().expect("an object");
            fields.remove("seq");
            fields.remove("at");
            all.push(effect);
        }
    }
    all
}

fn figures(server: &Server) -> Vec<Value> {
    (0..ACCOUNTS).map(|k| server.get(&format!("/v1/accounts/A{k}")).json()["account"].clone()).collect()
}

/// Posts one submission after the other, each until it is answered; tells how many were.
fn load(all: &[String], address: &std::sync::Mutex<SocketAddr>, answered: &AtomicU32, ended: &AtomicBool) {
    for body in all {
        loop {
            let to = *address.lock().expect("an address");
            match request(to, "POST", "/v1/events", "", body.as_bytes()) {
                Some(answer) if answer.status == 200 => break,
                Some(answer) => panic!("{answer:?}"),
                None if ended.load(Ordering::Acquire) => return,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        answered.fetch_add(1, Ordering::AcqRel);
        if ended.load(Ordering::Acquire) {
            return;
        }
    }
}

#[test]
fn a_day_of_kills_is_a_day_without() {
    let disturbed = Folder::new("kill-disturbed");
    std::fs::create_dir_all(&disturbed.0).expect("a folder");
    let (data, phases) = (disturbed.0.join("data"), disturbed.0.join("phase"));
    let more = ["--snapshot-every", "25", "--phases", phases.to_str().expect("text")];
    let start = || Server::start(&data, &more).unwrap_or_else(|(status, said)| panic!("{status:?}: {said}"));
    let all = submissions(MOST_SUBMISSIONS);
    let server = start();
    let (answered, ended) = (AtomicU32::new(0), AtomicBool::new(false));
    let address = std::sync::Mutex::new(server.address);
    let mut kills: BTreeMap<&str, u32> = PHASES.map(|phase| (phase, 0)).into();
    kills.insert("in snapshot", 0);
    let mut dice = Rng::new(1);
    std::thread::scope(|scope| {
        scope.spawn(|| load(&all, &address, &answered, &ended));
        let mut server = server;
        for n in 0..KILLS {
            // Some kills aim: at the moment a phase is seen; the others come when they come.
            let aim = (n as usize) % 7;
            let give_up = Instant::now() + Duration::from_millis(5 + dice.below(40) as u64);
            let seen = |(at, saving): (usize, bool)| aim == at && aim > 0 || aim == 5 && saving;
            std::thread::sleep(Duration::from_millis(dice.below(25) as u64));
            while !seen(phase(&phases)) && Instant::now() < give_up {}
            server.kill();
            let (at, saving) = phase(&phases);
            *kills.entry(if saving { "in snapshot" } else { PHASES[at] }).or_default() += 1;
            if aim == 0 {
                // Once more, while it recovers.
                std::fs::remove_file(&phases).expect("removed");
                let mut child = Server::spawn(&data, &more);
                let give_up = Instant::now() + Duration::from_millis(500);
                while phase(&phases).0 != 0 && Instant::now() < give_up {}
                std::thread::sleep(Duration::from_micros(dice.below(3_000) as u64));
                child.kill().expect("killed");
                child.wait().expect("gone");
                *kills.entry(PHASES[phase(&phases).0]).or_default() += 1;
            }
            server = start();
            *address.lock().expect("an address") = server.address;
        }
        ended.store(true, Ordering::Release);
        // The last submission that was begun is answered by the server that stays.
        while request(server.address, "GET", "/livez", "", b"").is_none() {}
        std::thread::sleep(Duration::from_millis(50));
        server.kill();
    });
    let answered = answered.load(Ordering::Acquire) as usize;
    println!("{answered} submissions answered; kills by phase: {kills:?}");
    assert!(kills.values().sum::<u32>() >= 100 && kills.values().all(|&count| count > 0), "{kills:?}");
    assert!(answered < MOST_SUBMISSIONS, "there was load to the end");

    // One more submission may be in the log that was not answered: it is sent again, as its client would.
    let server = start();
    let post = |server: &Server, body: &String| server.post(body.as_bytes()).expect("an answer");
    post(&server, &all[answered]);
    let undisturbed = Folder::new("kill-undisturbed");
    let plain = Server::start(&undisturbed.0, &[]).expect("a server");
    for body in &all[..=answered] {
        assert_eq!(post(&plain, body).status, 200);
    }
    assert_eq!(figures(&server), figures(&plain), "the accounts of both days");
    server.kill();
    plain.kill();
    let (told, expected) = (told(&data), told(&undisturbed.0));
    assert_eq!(told.len(), expected.len(), "as many effects");
    for (one, other) in told.iter().zip(&expected) {
        assert_eq!(one, other);
    }
    assert!(expected.len() > answered / 2, "{} effects of {answered} submissions", expected.len());
}
