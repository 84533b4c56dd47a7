//! The description of the API, checked by tools that are none of ours: it is valid OpenAPI, and what it says
//! is what the service answers, for requests made up from it, good ones and bad ones.

use std::path::PathBuf;
use std::process::Command;

use plimsoll_tests::folder::Folder;
use plimsoll_tests::service::Server;

const KEY: &str = "0123456789abcdef0123";

/// The folder of the tools, where they are installed.
fn tools() -> Option<PathBuf> {
    let folder = std::env::var_os("PLIMSOLL_OPENAPI").map(PathBuf::from);
    folder.filter(|folder| folder.join("bin/schemathesis").exists())
}

fn run(command: &mut Command) {
    let done = command.output().expect("a tool that starts");
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    println!("{}", said.lines().filter(|line| line.contains("generated")).collect::<String>());
}

#[test]
fn the_service_answers_as_its_description_says() {
    let Some(tools) = tools() else {
        println!("skipped: scripts/lib/openapi FOLDER installs the tools, PLIMSOLL_OPENAPI names the folder");
        return;
    };
    let folder = Folder::new("openapi");
    let (key, file) = (folder.join("key"), folder.join("openapi.json"));
    std::fs::write(&key, KEY).expect("written");
    let server = Server::start(&folder.join("data"), &["--key-file", key.to_str().expect("text")]);
    let server = server.expect("a server");
    std::fs::write(&file, server.get("/openapi.json").body).expect("written");
    run(Command::new(tools.join("bin/openapi-spec-validator")).arg(&file));
    // The stream has no end; bodies that are no JSON cannot be made up from a schema; and no schema says
    // which securities there are.
    run(Command::new(tools.join("bin/schemathesis"))
        .arg("run")
        .arg(&file)
        .args(["--url", &format!("http://{}", server.address)])
        .args(["--header", &format!("Authorization: Bearer {KEY}")])
        .args([
            "--exclude-path",
            "/v1/stream",
            "--exclude-path",
            "/v1/events",
            "--exclude-path",
            "/v1/policy",
        ])
        .args(["--exclude-checks", "positive_data_acceptance"])
        .args(["--max-examples", "25", "--seed", "1", "--no-color"])
        .current_dir(&folder.0));
    server.kill();
}
