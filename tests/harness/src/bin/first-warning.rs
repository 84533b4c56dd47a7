//! How long it takes from `./scripts/run --fresh` to the first warning on the page that prices brought about
//! (accounts that are below a line when they are opened stand there before), in a browser that is started
//! when the address is printed. From the top of the project, on a built tree:
//!
//!   first-warning PICTURE

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use plimsoll_tests::browser::Browser;

fn main() -> Result<(), Box<dyn Error>> {
    let picture = std::env::args().nth(1).ok_or("where does the picture go?")?;
    let profile = std::env::temp_dir().join(format!("plimsoll-first-warning-{}", std::process::id()));
    let started = Instant::now();
    let mut demo = Command::new("./scripts/run").arg("--fresh").stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(demo.stdout.take().ok_or("it says nothing")?).lines();
    let address = loop {
        let line = lines.next().ok_or("it never said where it is served")??;
        if let Some(address) = line.strip_prefix("plimsoll demo: ") {
            break address.to_owned();
        }
    };
    let served = started.elapsed().as_secs_f64();
    let mut browser = Browser::start(&profile)?;
    browser.dress(1360, 900, "light");
    browser.open(&address);
    browser.until(
        "[...document.querySelectorAll('#newest small')].some((why) => why.textContent.includes('Price '))",
    );
    let warned = started.elapsed().as_secs_f64();
    browser.picture(Path::new(&picture));
    println!("first_warning: seconds {warned:.1} served_after {served:.1}");
    // The script has become the demo.
    Command::new("kill").arg(demo.id().to_string()).status()?;
    demo.wait()?;
    std::fs::remove_dir_all(&profile)?;
    Ok(())
}
