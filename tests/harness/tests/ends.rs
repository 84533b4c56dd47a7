//! A service that is told to end does so in order, whenever it is told, and the next start has little to do.

use plimsoll_log::{Directory, snapshot::Snapshot, snapshots_in};
use plimsoll_tests::folder::Folder;
use plimsoll_tests::service::Server;

/// A service that had said where it listens took SIGTERM for one more moment as if nobody minded it: it was
/// killed, and whoever had started it saw a fault.
#[test]
fn told_to_end_the_moment_it_listens_it_ends_well() {
    let folder = Folder::new("ends-at-once");
    for start in 0..40 {
        let server = Server::start(&folder.0, &[]).expect("a server");
        assert_eq!(server.end(), Some(0), "start {start}");
    }
}

/// `count` quotes that no security stands behind: they are refused, and cost a recovery what others do.
fn quotes(from: u32, count: u32) -> String {
    let quote = |n: u32| {
        format!(
            "{{\"v\":1,\"type\":\"quote\",\"id\":\"q{n}\",\"source\":\"market\",\"at\":\"2026-01-19T09:30:00+08:00\",\"security\":\"{:06}.SH\",\"price\":\"10\"}}\n",
            600_000 + n % 5_000
        )
    };
    (from..from + count).map(quote).collect()
}

#[test]
fn after_many_events_the_end_leaves_a_snapshot_of_the_last_epoch() {
    for (events, saved) in [(10_000, false), (50_000, true)] {
        let folder = Folder::new(&format!("ends-snapshot-{events}"));
        let server = Server::start(&folder.0, &[]).expect("a server");
        for from in (0..events).step_by(5_000) {
            assert_eq!(server.post(quotes(from, 5_000).as_bytes()).expect("an answer").status, 200);
        }
        let last = server.get("/v1/summary").json()["epoch"].as_u64().expect("an epoch");
        assert_eq!(server.end(), Some(0));
        let kept = Snapshot::epochs(&Directory::take(&folder.0).expect("the directory")).expect("snapshots");
        assert_eq!(kept, if saved { vec![last] } else { vec![] }, "{events} events");
        let again = Server::start(&folder.0, &[]).expect("a server");
        assert_eq!(again.get("/v1/summary").json()["epoch"].as_u64(), Some(last));
    }
}

/// The count of events began anew with every start: a service that was killed before the next snapshot was
/// due had more to recompute each time, seven seconds after ten times.
#[test]
fn a_service_that_is_killed_again_and_again_takes_its_snapshots() {
    let folder = Folder::new("ends-killed");
    let mut kept = Vec::new();
    for round in 0..5 {
        let server = Server::start(&folder.0, &[]).expect("a server");
        kept.push(snapshots_in(&folder.0).expect("snapshots").len());
        for from in (0..200_000).step_by(10_000) {
            let posted = server.post(quotes(round * 200_000 + from, 10_000).as_bytes());
            assert_eq!(posted.expect("an answer").status, 200);
        }
        server.kill();
    }
    // One that is due after 500 000 events may not come to its end; a start that had 750 000 to recompute
    // begins with one.
    assert_eq!(kept[..2], [0, 0]);
    assert!(kept[4] > 0, "{kept:?}");
}
