//! `plimsoll demo`: a server and a simulated broker, each a process of its own.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use plimsoll_http::Told;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::Ended;
use crate::broker::DayArgs;

/// Serves a directory and sends a simulated broker to it: its accounts, then a trading day with a crash.
///
/// A directory that holds a day goes on with it. Kill the server: it is started again, and the day goes on.
#[derive(clap::Args, Debug)]
pub struct DemoArgs {
    /// The directory of the log; made where there is none.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    #[command(flatten)]
    day: DayArgs,
}

/// A process that ends with this one, or when it is let go.
#[derive(Default)]
struct Process {
    child: Option<Child>,
    /// Its standard input: it ends where this does.
    lifeline: Option<ChildStdin>,
}

impl Process {
    /// Starts this binary with other arguments.
    fn start(&mut self, args: Vec<OsString>, output: Stdio) -> Result<&mut Child, Ended> {
        let system = |cause: std::io::Error| Ended::from(format!("cannot start a process: {cause}"));
        let mut command = Command::new(std::env::current_exe().map_err(system)?);
        // Of a group of its own: what a terminal sends to all of them comes to this process alone.
        command.args(args).arg("--lifeline").stdin(Stdio::piped()).stdout(output).process_group(0);
        let mut child = command.spawn().map_err(system)?;
        self.lifeline = child.stdin.take();
        Ok(self.child.insert(child))
    }

    fn id(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).unwrap_or_default()
    }

    /// Waits until it ends; for ever where it does not run.
    async fn ended(&mut self) -> Result<ExitStatus, Ended> {
        match &mut self.child {
            Some(child) => {
                let status = child.wait().await;
                self.child = None;
                status.map_err(|cause| format!("cannot wait for a process: {cause}").into())
            }
            None => std::future::pending().await,
        }
    }

    /// Lets go of it, and waits until it has ended.
    async fn end(&mut self) {
        self.lifeline = None;
        if let Some(mut child) = self.child.take() {
            // It has ended, or never will.
            let _ = child.wait().await;
        }
    }
}

/// The two processes.
struct Demo<'a> {
    args: &'a DemoArgs,
    server: Process,
    broker: Process,
    /// The server's output, which is not read any further, but stays open.
    output: Option<BufReader<ChildStdout>>,
}

/// Runs the command.
///
/// # Errors
/// Where a process cannot be started, or ends by a fault; with its exit status.
pub fn run(args: &DemoArgs) -> Result<(), Ended> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| format!("cannot start: {cause}"))?;
    std::fs::create_dir_all(&args.data).map_err(|cause| format!("{}: {cause}", args.data.display()))?;
    runtime.block_on(async {
        let mut told = Told::hold().map_err(|cause| format!("cannot start: {cause}"))?;
        let (server, broker) = (Process::default(), Process::default());
        let mut demo = Demo { args, server, broker, output: None };
        let result = tokio::select! {
            biased;
            () = told.to_end() => {
                say("ended; the same directory goes on with its day");
                Ok(())
            }
            result = demo.supervise() => result,
        };
        demo.broker.end().await;
        demo.server.end().await;
        result
    })
}

impl Demo<'_> {
    /// Keeps both going: one that somebody ends is started again.
    async fn supervise(&mut self) -> Result<(), Ended> {
        let address = self.serve(self.args.listen).await?;
        self.send(address)?;
        say(&format!("plimsoll demo: http://{address}"));
        let (server, broker) = (self.server.id(), self.broker.id());
        say(&format!(
            "server: process {server}, broker: process {broker}; kill -9 {server}, and the day goes on"
        ));
        loop {
            tokio::select! {
                status = self.server.ended() => {
                    unless_fault("server", status?)?;
                    self.serve(address).await?;
                    say(&format!("the server was ended and is started again: process {}", self.server.id()));
                }
                status = self.broker.ended() => {
                    let status = status?;
                    if status.success() && self.args.day.until.is_some() {
                        return Ok(());
                    } else if status.success() {
                        say(&format!("the server goes on at http://{address}; Ctrl-C ends it"));
                    } else {
                        unless_fault("broker", status)?;
                        self.send(address)?;
                        say(&format!("the broker was ended and is started again: process {}", self.broker.id()));
                    }
                }
            }
        }
    }

    /// Starts the server; gives where it listens once it does.
    async fn serve(&mut self, listen: SocketAddr) -> Result<SocketAddr, Ended> {
        let (data, listen) = (self.args.data.as_os_str().to_owned(), listen.to_string().into());
        let args = vec!["serve".into(), "--data".into(), data, "--listen".into(), listen];
        let child = self.server.start(args, Stdio::piped())?;
        let output = child.stdout.take().ok_or_else(|| "the server has no output".to_owned())?;
        let mut first = String::new();
        // Nothing comes where it has ended.
        let _ = self.output.insert(BufReader::new(output)).read_line(&mut first).await;
        match first.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok()) {
            Some(address) => Ok(address),
            None => Err(fault("server", self.server.ended().await?)),
        }
    }

    /// Starts the broker.
    fn send(&mut self, address: SocketAddr) -> Result<(), Ended> {
        let mut args = vec!["broker".into(), "--to".into(), format!("http://{address}").into()];
        args.extend(["--journal".into(), self.args.data.join("broker").into()]);
        args.extend(self.args.day.flags());
        self.broker.start(args, Stdio::inherit()).map(|_| ())
    }
}

/// Says something on a line of its own, where the broker's line may stand on a terminal.
fn say(text: &str) {
    let begin = if std::io::stdout().is_terminal() { "\r\x1b[2K" } else { "" };
    println!("{begin}{text}");
}

/// Passes over the end of a process that somebody ended.
fn unless_fault(name: &str, status: ExitStatus) -> Result<(), Ended> {
    if status.success() || status.signal().is_some() { Ok(()) } else { Err(fault(name, status)) }
}

/// A process has ended that was not asked to; its own words stand above.
fn fault(name: &str, status: ExitStatus) -> Ended {
    let code = status.code().and_then(|code| u8::try_from(code).ok()).filter(|&code| code > 0);
    Ended { text: format!("the {name} has ended: {status}"), status: code.unwrap_or(1) }
}
