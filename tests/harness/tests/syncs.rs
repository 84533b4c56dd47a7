//! One commit and one sync an epoch, counted from outside by `strace`.

use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll_tests::folder::Folder;
use plimsoll_tests::service::Server;

fn strace() -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join("strace"))
        .find(|it| it.exists())
}

/// Syncs of a server over so many epochs, from its start to its end.
fn syncs(strace: &Path, epochs: usize) -> usize {
    let folder = Folder::new("syncs");
    let trace = folder.join("trace");
    let mut command = Command::new(strace);
    command.args(["-f", "-e", "trace=fsync,fdatasync,sync_file_range,msync", "-o"]).arg(&trace);
    let server = Server::under(command, &folder.join("data"), &[]).expect("a server");
    for n in 0..epochs {
        let line = format!(
            r#"{{"v":1,"type":"account","id":"a{n}","source":"s","at":"2026-01-19T09:30:00+08:00","account":"A{n}","customer":"C1","client_class":"individual"}}"#
        );
        let answer = server.post(line.as_bytes()).expect("an answer").json();
        assert_eq!(answer["epoch"], n as u64 + 1);
    }
    // The tracer ends with what it traces, not the other way round.
    let tracer = server.child.id();
    let traced =
        std::fs::read_to_string(format!("/proc/{tracer}/task/{tracer}/children")).expect("its child");
    let asked = Command::new("kill").args(["-9", traced.trim()]).status();
    assert!(asked.is_ok_and(|status| status.success()), "it cannot be killed");
    server.wait();
    let text = std::fs::read_to_string(&trace).expect("a trace");
    text.lines().filter(|line| line.contains("sync(") || line.contains("sync_file_range(")).count()
}

#[test]
fn an_epoch_is_one_sync() {
    let Some(strace) = strace() else {
        println!("skipped: there is no strace");
        return;
    };
    let (few, many) = (syncs(&strace, 20), syncs(&strace, 220));
    println!("{few} syncs with 20 epochs, {many} with 220");
    // The file grows now and then, which the store syncs too.
    assert!((200..=204).contains(&(many - few)), "{few} {many}");
}
