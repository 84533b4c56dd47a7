//! Every scenario file through the real binary, one test a folder.

use plimsoll_tests::{CODES, scenario};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

/// Runs the files of one folder; `PLIMSOLL_SCENARIOS` narrows them to paths that contain its text.
fn folder(name: &str) {
    let wanted = std::env::var("PLIMSOLL_SCENARIOS").unwrap_or_default();
    let files = scenario::files_below(&root().join(name)).expect("the folder can be read");
    assert!(!files.is_empty(), "no scenarios in {name}");
    let mut cases = 0;
    let mut differences = Vec::new();
    for file in files {
        let label = file.strip_prefix(root()).expect("below the root").display().to_string();
        if label.contains(&wanted) {
            let outcome = scenario::run_file(&file, &label);
            cases += outcome.cases;
            differences.extend(outcome.differences);
        }
    }
    println!("{name}: {cases} cases");
    assert!(
        differences.is_empty(),
        "{} differences in {name}\n{}",
        differences.len(),
        differences.join("\n")
    );
}

macro_rules! folders {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            folder(stringify!($name));
        })*

        const FOLDERS: &[&str] = &[$(stringify!($name)),*];
    };
}

folders!(
    bases,
    corporate_actions,
    envelope,
    exits,
    fills,
    haircuts,
    hysteresis,
    interest,
    lines,
    marks,
    refusals,
    repay,
    restrictions,
    worked,
);

#[test]
fn every_folder_is_run() {
    let mut there: Vec<String> = std::fs::read_dir(root())
        .expect("the scenarios are there")
        .filter_map(|e| {
            let e = e.expect("an entry");
            let name = e.file_name().into_string().expect("a plain name");
            e.path().is_dir().then_some(name)
        })
        .collect();
    there.sort();
    assert_eq!(there, FOLDERS);
}

#[test]
fn every_refusal_has_a_scenario() {
    let mut told = String::new();
    for file in scenario::files_below(&root().join("refusals")).expect("the folder can be read") {
        told.push_str(&std::fs::read_to_string(file).expect("a text"));
    }
    for code in CODES {
        assert!(
            told.lines().any(|l| l.split_whitespace().take(2).eq(["refused", code])),
            "no scenario provokes {code}"
        );
    }
}

#[test]
fn every_scenario_says_its_rule() {
    for file in scenario::files_below(&root()).expect("the scenarios are there") {
        let text = std::fs::read_to_string(&file).expect("a text");
        let head = text.lines().next().unwrap_or_default();
        assert!(head.starts_with("# "), "{}: begins without its rule", file.display());
        let says_source = text
            .lines()
            .take_while(|l| l.starts_with('#'))
            .any(|l| l.contains("domain §") || l.contains("events:") || l.contains("rules/"));
        assert!(says_source, "{}: names no source", file.display());
    }
}
