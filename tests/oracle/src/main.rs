//! The command `oracle`: the replay contract, one naive recomputation at a time.

use std::io::{Read, Write};
use std::process::ExitCode;

use plimsoll_oracle::{AsOf, Want, replay};

const USAGE: &str = "oracle [--policy FILE] [--effects FILE] [--state FILE] [--trace FILE] [--as-of TIME|SEQ] \
                     [--rules DIR] INPUT.ndjson...";

#[derive(Default)]
struct Args {
    policy: Option<String>,
    effects: Option<String>,
    state: Option<String>,
    trace: Option<String>,
    want: Want,
    inputs: Vec<String>,
}

fn args() -> Result<Args, String> {
    let mut out = Args::default();
    let mut given = std::env::args().skip(1);
    while let Some(arg) = given.next() {
        if !arg.starts_with("--") {
            out.inputs.push(arg);
            continue;
        }
        let value = given.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"))?;
        match arg.as_str() {
            "--policy" => out.policy = Some(value),
            "--effects" => out.effects = Some(value),
            "--state" => out.state = Some(value),
            "--trace" => out.trace = Some(value),
            "--rules" => out.want.rules = Some(value.into()),
            "--as-of" => {
                out.want.as_of = Some(AsOf::parse(&value).ok_or_else(|| format!("--as-of {value}: neither"))?)
            }
            _ => return Err(format!("{arg}: unknown\n{USAGE}")),
        }
    }
    if out.inputs.is_empty() {
        return Err(USAGE.to_owned());
    }
    out.want.trace = out.trace.is_some();
    Ok(out)
}

fn read(name: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let done = if name == "-" {
        std::io::stdin().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(name).map(|all| bytes = all)
    };
    done.map(|()| bytes).map_err(|e| format!("{name}: {e}"))
}

fn write(name: Option<&String>, text: &str) -> Result<(), String> {
    match name.map(String::as_str) {
        None => Ok(()),
        Some("-") => {
            std::io::stdout().write_all(text.as_bytes()).map_err(|e| format!("standard output: {e}"))
        }
        Some(name) => std::fs::write(name, text).map_err(|e| format!("{name}: {e}")),
    }
}

fn run() -> Result<(), String> {
    let args = args()?;
    let policy = match &args.policy {
        Some(name) => Some(String::from_utf8(read(name)?).map_err(|_| format!("{name}: not UTF-8"))?),
        None => None,
    };
    let files = args.inputs.iter().map(|name| read(name)).collect::<Result<Vec<_>, _>>()?;
    let named: Vec<(&str, &[u8])> =
        args.inputs.iter().map(String::as_str).zip(files.iter().map(Vec::as_slice)).collect();
    let output = replay(&named, policy.as_deref(), args.want.clone()).map_err(|fatal| fatal.to_string())?;
    write(args.effects.as_ref(), &output.effects)?;
    write(args.state.as_ref(), &output.state)?;
    write(args.trace.as_ref(), &output.trace)
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("oracle: {what}");
            ExitCode::FAILURE
        }
    }
}
