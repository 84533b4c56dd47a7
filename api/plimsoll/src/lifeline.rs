//! A process that must not outlive the one that started it: it holds the other end of standard input.

use std::io::Read;

use rustix::process::{Signal, getpid, kill_process};

/// Asks this process to end, as by SIGTERM, once standard input ends.
pub fn hold() {
    std::thread::spawn(|| {
        let mut bytes = [0; 256];
        let mut input = std::io::stdin().lock();
        while input.read(&mut bytes).is_ok_and(|read| read > 0) {}
        // It can always be sent to oneself.
        let _ = kill_process(getpid(), Signal::TERM);
    });
}
