//! The clock and the digest: what is timed, and what a contender must print to count.

use crate::{Change, Record};
use std::path::Path;
use std::time::{Duration, Instant};

/// Processor time of this process, all threads, user and system.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Peak resident memory since the last time it was asked.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = line.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok());
    // "5" sets the peak back to what is resident now.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    peak.unwrap_or(0) / 1024
}

/// Runs the epochs `0..epochs` through a contender and prints its figures. `prepare` makes what it
/// is given and is not timed; `step` is, and gives the changes by account.
pub fn race<T>(
    name: &str,
    folder: &Path,
    epochs: usize,
    mut prepare: impl FnMut(usize) -> T,
    mut step: impl FnMut(T) -> Vec<Change>,
) -> Vec<Record> {
    let (mut cpu, mut wall) = (Duration::ZERO, Duration::ZERO);
    let mut records = Vec::new();
    peak_mib();
    for epoch in 0..epochs {
        let input = prepare(epoch);
        let (started, used) = (Instant::now(), processor_time());
        let changes = step(input);
        cpu += processor_time() - used;
        wall += started.elapsed();
        assert!(changes.is_sorted_by_key(|change| change.account));
        records.extend(changes.iter().map(|change| change.record(epoch as u64)));
    }
    let memory = peak_mib();
    let digest = blake3::hash(records.as_flattened()).to_hex();
    let per = |all: Duration| all.as_nanos() / 1000 / epochs.max(1) as u128;
    print!(
        "peer={name} epochs={epochs} cpu_us={} wall_us={} memory_mib={memory} changes={} digest={}",
        per(cpu),
        per(wall),
        records.len(),
        &digest[..16]
    );
    println!("{}", differences(&records, folder));
    records
}

/// How a contender's records differ from the exact ones the exporter left.
fn differences(records: &[Record], folder: &Path) -> String {
    let Ok(exact) = std::fs::read(folder.join("changes.bin")) else { return String::new() };
    let (exact, _) = exact.as_chunks::<46>();
    if exact == records {
        return String::new();
    }
    // Up to `to` a record says which change it is; behind it stand A and D.
    let set = |records: &[Record], bytes: usize| -> std::collections::BTreeSet<Vec<u8>> {
        records.iter().map(|record| record[..bytes].to_vec()).collect()
    };
    let (ours, theirs) = (set(exact, 14), set(records, 14));
    let (missed, wrong) = (ours.difference(&theirs).count(), theirs.difference(&ours).count());
    let figures = set(records, 46).difference(&set(exact, 46)).count() - wrong;
    format!(" missed={missed} invented={wrong} wrong_figures={figures}")
}
