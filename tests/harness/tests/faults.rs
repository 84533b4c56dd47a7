//! What is wrong with the device under a real service: it ends with a name for it, and nothing that was
//! answered is lost.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use plimsoll_tests::folder::Folder;
use plimsoll_tests::service::Server;
use plimsoll_tests::streams::rng::Rng;

/// A device of its own of some megabytes, in memory.
struct Device(Folder);

impl Device {
    /// None where this process may not mount one.
    fn of(name: &str, mib: u32) -> Option<Self> {
        let device = Device(Folder::new(&format!("device-{name}")));
        device.mount(&format!("size={mib}m")).then_some(device)
    }

    fn mount(&self, options: &str) -> bool {
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&self.0.0).output();
        mounted.is_ok_and(|done| done.status.success())
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // Where it was never mounted there is only a folder.
        let _ = Command::new("umount").arg("-l").arg(&self.0.0).output();
    }
}

/// A submission of accounts with names that do not compress.
fn accounts(n: u32, dice: &mut Rng) -> String {
    let account = |k: u32| {
        let name: String = (0..40).map(|_| format!("{:08x}", dice.below(1 << 32))).collect();
        format!(
            "{{\"v\":1,\"type\":\"account\",\"id\":\"a{n}-{k}\",\"source\":\"s\",\"at\":\"2026-01-19T09:30:00+08:00\",\"account\":\"A{n}-{k}\",\"customer\":\"C1\",\"client_class\":\"individual\",\"name\":\"{name}\"}}\n"
        )
    };
    (0..200).map(account).collect()
}

#[test]
fn a_full_device_ends_the_service_by_name_and_what_was_answered_is_there() {
    let Some(device) = Device::of("full", 6) else {
        println!("skipped: this process may not mount a device of its own");
        return;
    };
    let data = device.0.join("data");
    let (mut dice, mut answered) = (Rng::new(3), 0);
    let server = Server::start(&data, &[]).expect("a server");
    while server.post(accounts(answered, &mut dice).as_bytes()).is_some_and(|answer| answer.status == 200) {
        answered += 1;
        assert!(answered < 1_000, "six megabytes are never full");
    }
    assert_eq!(server.wait(), Some(12));
    assert!(answered > 5, "{answered} submissions");
    // It can still be asked, but takes nothing.
    let full = Server::start(&data, &[]).expect("a server");
    assert_eq!(full.get("/v1/accounts/A0-0").status, 200);
    while full.post(accounts(answered, &mut dice).as_bytes()).is_some() {}
    assert_eq!(full.wait(), Some(12));
    assert!(device.mount("remount,size=64m"), "there is room again");
    let server = Server::start(&data, &[]).expect("a server");
    for n in 0..answered {
        assert_eq!(server.get(&format!("/v1/accounts/A{n}-199")).status, 200, "submission {n}");
    }
    server.kill();
}

/// The places of the heads of epochs in a segment.
fn heads(segment: &Path) -> Vec<usize> {
    let bytes = std::fs::read(segment).expect("read");
    let heads = bytes.windows(8).enumerate().filter(|(_, eight)| *eight == b"plEPOCH\n");
    heads.map(|(at, _)| at).collect()
}

#[test]
fn a_flipped_byte_keeps_the_service_from_starting_and_is_named() {
    let folder = Folder::new("faults-flipped");
    let mut dice = Rng::new(4);
    let server = Server::start(&folder.0, &[]).expect("a server");
    for n in 0..5 {
        assert!(server.post(accounts(n, &mut dice).as_bytes()).is_some_and(|answer| answer.status == 200));
    }
    server.kill();
    let segment = folder.join("log/00000000000000000001.redb");
    let at = heads(&segment)[2] + 100;
    let mut bytes = std::fs::read(&segment).expect("read");
    let epoch = u64::from_le_bytes(bytes[at - 92..at - 84].try_into().expect("eight bytes"));
    bytes[at] ^= 4;
    std::fs::write(&segment, bytes).expect("written");
    let (status, said) = Server::start(&folder.0, &[]).map(|_| "it starts").expect_err("it is damaged");
    assert_eq!(status, Some(14), "{said}");
    let named = said.contains("00000000000000000001.redb") && said.contains(&format!("epoch {epoch}"));
    assert!(named, "epoch {epoch}: {said}");
}

fn refused(started: Result<Server, (Option<i32>, String)>) -> (Option<i32>, String) {
    started.map(|_| "it starts").expect_err("it does not start")
}

#[test]
fn a_directory_that_may_not_be_written_keeps_the_service_from_starting() {
    let Some(device) = Device::of("read-only", 6) else {
        println!("skipped: this process may not mount a device of its own");
        return;
    };
    let data = device.0.join("data");
    let mut dice = Rng::new(8);
    let server = Server::start(&data, &[]).expect("a server");
    assert!(server.post(accounts(0, &mut dice).as_bytes()).is_some_and(|answer| answer.status == 200));
    assert_eq!(server.end(), Some(0));
    // Another user than the one whose it is: the binary must be where that one can read it.
    let folder = Folder::new("faults-permission");
    let binary = folder.join("plimsoll");
    std::fs::copy(plimsoll_tests::scenario::run::binary().expect("the binary"), &binary).expect("copied");
    let of_root = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(&data, of_root).expect("set");
    let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let mut as_nobody = Command::new("setpriv");
    as_nobody.args(nobody).arg(&binary).args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
    let ended = as_nobody.output().expect("a process");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(11), "{said}");
    assert!(said.contains("permission denied") && said.contains("read-only"), "{said}");
    // And a device that takes nothing from anybody.
    assert!(device.mount("remount,ro"), "it is read-only");
    let (status, said) = refused(Server::start(&data, &[]));
    assert_eq!(status, Some(11), "{said}");
    assert!(device.mount("remount,rw,size=64m"), "it can be written again");
    let server = Server::start(&data, &[]).expect("a server");
    assert_eq!(server.get("/v1/accounts/A0-199").status, 200);
    server.kill();
}

#[test]
fn a_sync_that_fails_ends_the_service_by_name_and_what_was_answered_is_there() {
    let folder = Folder::new("faults-sync");
    let (device, source) = (folder.join("device.so"), "tests/peers/stores/device.c");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(source);
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O2", "-o"]).arg(&device).arg(source).status();
    assert!(built.is_ok_and(|status| status.success()), "it is compiled");
    let mut dice = Rng::new(9);
    let (mut started, mut answered_in_all) = (0, 0);
    for failing in 1..24 {
        let data = folder.join(format!("data-{failing}"));
        let mut command = Command::new("env");
        command.arg(format!("LD_PRELOAD={}", device.display())).arg(format!("SYNC_FAILS_AT={failing}"));
        let mut answered = 0;
        match Server::under(command, &data, &[]) {
            Err((status, said)) => assert_eq!(status, Some(13), "sync {failing}: {said}"),
            Ok(server) => {
                started += 1;
                while server
                    .post(accounts(answered, &mut dice).as_bytes())
                    .is_some_and(|answer| answer.status == 200)
                {
                    answered += 1;
                    assert!(answered < 100, "sync {failing} never fails");
                }
                assert_eq!(server.wait(), Some(13), "sync {failing}");
            }
        }
        answered_in_all += answered;
        let server = Server::start(&data, &[]).expect("a server");
        for n in 0..answered {
            assert_eq!(server.get(&format!("/v1/accounts/A{n}-199")).status, 200, "sync {failing}, {n}");
        }
        server.kill();
    }
    println!(
        "{started} of 23 services came to listen; {answered_in_all} submissions were answered before the fault"
    );
    assert!(started > 5 && started < 23 && answered_in_all > 20, "{started}, {answered_in_all}");
}

#[test]
fn a_snapshot_of_a_newer_version_keeps_the_service_from_starting() {
    let folder = Folder::new("faults-newer");
    let mut dice = Rng::new(10);
    let server = Server::start(&folder.0, &["--snapshot-every", "1"]).expect("a server");
    assert!(server.post(accounts(0, &mut dice).as_bytes()).is_some_and(|answer| answer.status == 200));
    let snapshot = folder.join("snapshots/00000000000000000001.state");
    while !snapshot.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    server.kill();
    let mut bytes = std::fs::read(&snapshot).expect("read");
    bytes[8] += 1;
    std::fs::write(&snapshot, bytes).expect("written");
    let (status, said) = refused(Server::start(&folder.0, &[]));
    assert_eq!(status, Some(15), "{said}");
    assert!(said.contains("00000000000000000001.state: written by format 2"), "{said}");
}

#[test]
fn a_segment_of_a_newer_version_keeps_the_service_from_starting() {
    let folder = Folder::new("faults-newer-segment");
    let server = Server::start(&folder.0, &[]).expect("a server");
    let body = accounts(0, &mut Rng::new(11));
    assert!(server.post(body.as_bytes()).is_some_and(|answer| answer.status == 200));
    server.kill();
    let segment = folder.join("log/00000000000000000001.redb");
    let head: redb::TableDefinition<(), (u32, u64, &[u8; 32])> = redb::TableDefinition::new("head");
    let write = || -> Result<(), redb::Error> {
        let database = redb::Database::open(&segment)?;
        let transaction = database.begin_write()?;
        transaction.open_table(head)?.insert((), (2, 1, &[0; 32]))?;
        Ok(transaction.commit()?)
    };
    write().expect("written");
    let (status, said) = refused(Server::start(&folder.0, &[]));
    assert_eq!(status, Some(15), "{said}");
    assert!(said.contains("00000000000000000001.redb: written by format 2"), "{said}");
}
