//! The README as a newcomer reads it: its blocks of commands are run as they stand, on a network and in
//! folders of their own.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use plimsoll_tests::folder::Folder;
use plimsoll_tests::scenario::run::binary;

/// The blocks of commands, each with its line in the text.
fn blocks(text: &str) -> Vec<(usize, String)> {
    let (mut all, mut open) = (Vec::new(), None);
    for (number, line) in (1..).zip(text.lines()) {
        match (&mut open, line) {
            (None, "```sh") => open = Some((number, String::new())),
            (Some(_), "```") => all.extend(open.take()),
            (Some((_, block)), line) => *block += &format!("{line}\n"),
            (None, _) => {}
        }
    }
    all
}

/// A block with its services in the background: what follows comes from another terminal.
fn script(block: &str) -> String {
    let line = |line: &str| {
        if line.starts_with("plimsoll serve") {
            format!("{line} >said & until grep -q listening said; do sleep 0.05; done\n")
        } else {
            format!("{line}\n")
        }
    };
    block.lines().map(line).collect()
}

#[test]
fn the_blocks_of_the_readme_do_what_they_say() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the project");
    let here = Folder::new("readme");
    for entry in std::fs::read_dir(&top).expect("the project").flatten() {
        symlink(entry.path(), here.join(entry.file_name())).expect("a link");
    }
    symlink(binary().expect("the binary"), here.join("plimsoll")).expect("a link");
    // What the service of the README keeps is kept from other runs.
    let own = "ip link set lo up; mkdir -p /tmp/plimsoll-live; mount -t tmpfs tmpfs /tmp/plimsoll-live; PATH=$PWD:$PATH\n";
    let apart = |script: &str| {
        let mut command = Command::new("unshare");
        command.args([
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "bash",
            "-euo",
            "pipefail",
            "-c",
        ]);
        command.arg(own.to_owned() + script).current_dir(&here.0).output()
    };
    if !apart("").is_ok_and(|done| done.status.success()) {
        println!("skipped: this process may not have a network of its own, or there is no iproute2");
        return;
    }
    let text = std::fs::read_to_string(top.join("README.md")).expect("the README");
    let (mut run, mut said) = (0, String::new());
    for (number, block) in blocks(&text) {
        // The two commands: they build this, and run this.
        if block.contains("./scripts/") {
            continue;
        }
        let done = apart(&script(&block)).expect("a shell");
        let out = String::from_utf8_lossy(&done.stdout).into_owned();
        let fault = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "line {number}:\n{block}\n{out}\n{fault}");
        run += 1;
        said += &out;
    }
    assert!(run >= 3, "{run} blocks");
    // The hello of a replay, and the summary of the service that was sent it.
    for words in ["\"type\":\"tier_changed\"", "\"accepted\":", "\"tiers\":"] {
        assert!(said.contains(words), "{words} is nowhere in\n{said}");
    }
}
