//! The house: what may touch what. Absences that ARCHITECTURE.md states are tested here.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn manifest(path: &str) -> String {
    fs::read_to_string(root().join(path).join("Cargo.toml")).expect("a manifest")
}

/// Names of the crates under `[dependencies]`.
fn dependencies(path: &str) -> Vec<String> {
    manifest(path)
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('=').map(|(name, _)| name.trim().to_owned()))
        .filter(|name| !name.starts_with('#'))
        .collect()
}

fn sources(path: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(path)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&entry).expect("a source file");
                found.push((entry, text));
            }
        }
    }
    found
}

#[test]
fn the_core_depends_on_small_proven_pieces_only() {
    assert_eq!(dependencies("engine/core"), ["blake3", "hashbrown"]);
}

#[test]
fn the_oracle_shares_no_crate_with_the_product() {
    let text = manifest("tests/oracle");
    assert!(!text.contains("path = \"..") && !text.contains("plimsoll-engine"), "the oracle reaches for us");
    assert!(dependencies("tests/oracle").iter().all(|name| name.starts_with("num-")), "{text}");
    for (path, text) in sources("tests/oracle") {
        for ours in ["plimsoll_engine", "plimsoll_wire", "plimsoll_files"] {
            assert!(!text.contains(ours), "{} names {ours}", path.display());
        }
    }
}

#[test]
fn the_core_reaches_for_nothing_outside() {
    let outside = [
        "std::fs",
        "std::net",
        "std::time",
        "std::thread",
        "std::env",
        "std::process",
        "SystemTime",
        "Instant",
        "HashMap<",
        "HashSet<",
        "println!",
        "f32",
        "f64",
        "unsafe ",
    ];
    for (path, text) in sources("engine/core/src") {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for word in outside {
                assert!(!line.contains(word), "{}: {word}: {line}", path.display());
            }
        }
    }
}

/// Modules of the core in the order of the data; each may use only those before it.
const ORDER: &[&str] = &[
    "num", "input", "effect", "policy", "rules", "codec", "dedup", "actions", "aside", "book", "prices",
    "market", "tiers", "terms", "columns", "looks", "metrics", "causes", "draft", "lane", "judge", "engine",
    "breach", "scenario", "save", "read",
];

/// Types of inputs, policy and rules name one another: one layer in three files.
const LAYER: &[&str] = &["num", "input", "effect", "policy", "rules"];

#[test]
fn modules_of_the_core_follow_the_data() {
    for (path, text) in sources("engine/core/src") {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let Some(place) = ORDER.iter().position(|module| *module == name) else {
            assert_eq!(name, "lib", "{name} has no place in the order");
            continue;
        };
        for (used, module) in ORDER.iter().enumerate() {
            let uses = text.contains(&format!("crate::{module}::"));
            let allowed = used <= place || LAYER.contains(module) && LAYER.contains(&name.as_str());
            assert!(!uses || allowed, "{name} uses {module}, which comes after it");
        }
    }
}

#[test]
fn files_stay_small_enough_to_read() {
    for folder in ["engine", "connectors", "api", "tests"] {
        for (path, text) in sources(folder) {
            let lines = text.lines().count();
            assert!(lines <= 800, "{} has {lines} lines", path.display());
        }
    }
}
