//! What the machine gives: memory of the process, and the time to read bytes once.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Passes over the bytes; the median counts.
const PASSES: usize = 7;

/// Time to read so many bytes once, from first to last, with as many threads as lanes.
#[must_use]
pub fn read_once(bytes: u64, threads: usize) -> Duration {
    let words = vec![1_u64; bytes as usize / 8];
    let part = words.len().div_ceil(threads.max(1));
    let together = Barrier::new(threads.max(1));
    let pass = |mine: &[u64]| {
        together.wait();
        let started = Instant::now();
        black_box(black_box(mine).iter().fold(0_u64, |sum, &word| sum.wrapping_add(word)));
        together.wait();
        started.elapsed()
    };
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..threads.max(1))
            .map(|thread| {
                let ends = [thread, thread + 1].map(|k| (k * part).min(words.len()));
                let mine = &words[ends[0]..ends[1]];
                scope.spawn(move || (0..PASSES).map(|_| pass(mine)).collect::<Vec<_>>())
            })
            .collect();
        readers.into_iter().next().map(|first| first.join().expect("a reader")).unwrap_or_default()
    });
    times.sort_unstable();
    times[PASSES / 2]
}

/// A figure of `/proc/self/status` in MiB: `VmRSS` is what is in memory, `VmHWM` the most that was.
#[must_use]
pub fn memory_mib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Lets `VmHWM` begin again from what is in memory now; where it may not, it keeps the older peak.
pub fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
