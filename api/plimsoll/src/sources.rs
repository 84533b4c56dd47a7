//! `plimsoll serve --sources`: a thread for every folder that is watched and every file that is followed.
//!
//! The log names folders, files and counts; what files hold stays in their reports.

use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use plimsoll_drop::{Follow, NotTaken, Outcome, Receipt, Refused, Report, Sources, Watch};
use plimsoll_http::Submitter;

/// How long a source rests after the system failed it.
const REST: Duration = Duration::from_secs(10);

/// Reads the configuration.
///
/// # Errors
/// Everything that is wrong with it, a line each.
pub fn read(path: &Path) -> Result<Sources, String> {
    let fail = |cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
    let text = std::fs::read_to_string(path).map_err(|cause| fail(&cause))?;
    let base = path.parent().unwrap_or(Path::new(""));
    Sources::parse(&text, base).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(|fault| fail(fault)).collect();
        lines.join("\n")
    })
}

/// Begins a thread for every source. They end with the process: what they leave half done is taken up by the
/// next.
pub fn begin(sources: Sources, submitter: &Submitter) {
    for folder in sources.folders {
        let (name, rest) = (folder.name.clone(), folder.poll);
        let mut watch = Watch::new(folder);
        repeat(&name, rest, submitter, move |name, submit| {
            let reports = watch.poll(SystemTime::now(), submit)?;
            reports.iter().for_each(|report| tell(name, report));
            Ok(())
        });
    }
    for followed in sources.followed {
        let (name, rest) = (followed.name.clone(), followed.poll);
        let mut follow = Follow::new(followed);
        repeat(&name, rest, submitter, move |name, submit| {
            let receipt = follow.poll(submit)?;
            if !receipt.refused.is_empty() {
                tracing::warn!(source = name, refused = receipt.refused.len(), "followed");
            }
            Ok(())
        });
    }
}

/// Runs a source again and again on a thread of its own, until the service ends.
fn repeat(
    name: &str,
    rest: Duration,
    submitter: &Submitter,
    mut poll: impl FnMut(&str, &mut plimsoll_drop::Submit<'_>) -> io::Result<()> + Send + 'static,
) {
    let (name, submitter) = (name.to_owned(), submitter.clone());
    let run = move || {
        let mut ended = false;
        while !ended {
            let polled = poll(&name, &mut |body| {
                let answer = submitter.submit(body).map(receipt).map_err(not_taken);
                ended = answer == Err(NotTaken::Ending);
                answer
            });
            match polled {
                Ok(()) => thread::sleep(rest),
                Err(cause) => {
                    tracing::error!(source = %name, %cause, "a source rests");
                    thread::sleep(REST);
                }
            }
        }
    };
    if let Err(cause) = thread::Builder::new().name("source".to_owned()).spawn(run) {
        tracing::error!(%cause, "no thread for a source");
    }
}

fn receipt(given: plimsoll_service::run::Receipt) -> Receipt {
    let refused = given.refused.into_iter().map(|refused| Refused {
        line: refused.line,
        code: refused.code.to_owned(),
        detail: refused.detail,
    });
    Receipt { accepted: given.accepted, duplicates: given.duplicates, refused: refused.collect() }
}

fn not_taken(why: plimsoll_http::NotTaken) -> NotTaken {
    match why {
        plimsoll_http::NotTaken::Busy => NotTaken::Busy,
        plimsoll_http::NotTaken::Ending => NotTaken::Ending,
    }
}

fn tell(name: &str, report: &Report) {
    let files: Vec<&str> = report.files.iter().map(|file| file.name.as_str()).collect();
    let files = files.join(", ");
    let Report { events, accepted, duplicates, refused, faults, .. } = *report;
    match report.outcome {
        Outcome::Bad => {
            tracing::warn!(source = name, files, faults, "set aside, nothing of it was submitted")
        }
        Outcome::Done => tracing::info!(source = name, files, events, accepted, duplicates, refused, "taken"),
    }
}
