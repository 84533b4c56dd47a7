//! The service as a process, and a client of it: one request a connection, nothing but sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::scenario::run::binary;

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    /// The process.
    pub child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Drop for Server {
    /// A test that fails leaves no process behind.
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its head, in small letters.
    pub head: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// Where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|cause| panic!("{cause}: {self:?}"))
    }
}

impl Server {
    /// Starts one on a directory and waits until it listens.
    ///
    /// # Errors
    /// Its exit status and what it said, where it ends instead.
    ///
    /// # Panics
    /// Where there is no binary.
    pub fn start(data: &Path, more: &[&str]) -> Result<Self, (Option<i32>, String)> {
        Self::listening(Server::spawn(data, more))
    }

    /// Starts one under another command, which takes the binary and its arguments as its last ones.
    ///
    /// # Errors
    /// Its exit status and what it said, where it ends instead.
    ///
    /// # Panics
    /// Where there is no binary.
    pub fn under(mut command: Command, data: &Path, more: &[&str]) -> Result<Self, (Option<i32>, String)> {
        command.arg(binary().expect("the binary"));
        Self::listening(spawned(command, data, more))
    }

    fn listening(mut child: Child) -> Result<Self, (Option<i32>, String)> {
        let mut first = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("its output"));
        out.read_line(&mut first).expect("its first line");
        match first.trim().strip_prefix("listening on http://") {
            Some(address) => Ok(Server { child, address: address.parse().expect("an address") }),
            None => {
                let mut said = String::new();
                child.stderr.take().expect("its errors").read_to_string(&mut said).expect("text");
                Err((child.wait().expect("an end").code(), said))
            }
        }
    }

    /// Starts the process, and does not wait for it.
    ///
    /// # Panics
    /// Where there is no binary.
    pub fn spawn(data: &Path, more: &[&str]) -> Child {
        spawned(Command::new(binary().expect("the binary")), data, more)
    }

    /// Ends it as a power cut would.
    ///
    /// # Panics
    /// Where it has ended already.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Panics
    /// Where it does not.
    pub fn end(self) -> Option<i32> {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(asked.is_ok_and(|status| status.success()), "it cannot be asked to end");
        self.wait()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// Where that cannot be waited for.
    pub fn wait(mut self) -> Option<i32> {
        self.child.wait().expect("an end").code()
    }

    /// A request and its answer; none where the connection broke.
    pub fn request(&self, method: &str, path: &str, head: &str, body: &[u8]) -> Option<Answer> {
        request(self.address, method, path, head, body)
    }

    /// Takes a submission.
    pub fn post(&self, body: &[u8]) -> Option<Answer> {
        self.request("POST", "/v1/events", "", body)
    }

    /// Asks something.
    ///
    /// # Panics
    /// Where the connection breaks.
    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "", b"").expect("an answer")
    }
}

fn spawned(mut command: Command, data: &Path, more: &[&str]) -> Child {
    command.args(["serve", "--data"]).arg(data).args(more);
    if !more.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a process")
}

/// One request over a connection of its own.
pub fn request(address: SocketAddr, method: &str, path: &str, head: &str, body: &[u8]) -> Option<Answer> {
    let mut socket = TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let asked = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n{head}\r\n",
        body.len()
    );
    socket.write_all(asked.as_bytes()).ok()?;
    socket.write_all(body).ok()?;
    let mut all = Vec::new();
    socket.read_to_end(&mut all).ok()?;
    let end = all.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head, body: all.split_off(end + 4) })
}

/// How long a listener waits for an effect.
const PATIENCE: Duration = Duration::from_secs(20);

/// A listener on the stream of effects.
#[derive(Debug)]
pub struct Listener(BufReader<TcpStream>);

/// An effect that was told: its id, its type, its JSON.
pub type Told = (String, String, String);

impl Listener {
    /// Listens from now on, or after an id.
    ///
    /// # Panics
    /// Where it is refused.
    pub fn on(address: SocketAddr, filter: &str, after: Option<&str>) -> Self {
        let mut socket = TcpStream::connect(address).expect("a connection");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let after = after.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        let asked = format!("GET /v1/stream{filter} HTTP/1.1\r\nhost: test\r\n{after}\r\n");
        socket.write_all(asked.as_bytes()).expect("asked");
        let mut reader = BufReader::new(socket);
        let mut status = String::new();
        reader.read_line(&mut status).expect("a status");
        assert!(status.contains(" 200 "), "{status}");
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).expect("a head");
        }
        Listener(reader)
    }

    /// The next effect; none where nothing comes for a while, or the stream ends.
    pub fn next_told(&mut self) -> Option<Told> {
        let (mut id, mut kind) = (String::new(), String::new());
        // What keeps a silent stream open comes more often than the socket gives up.
        let until = Instant::now() + PATIENCE;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 || Instant::now() >= until {
                return None;
            }
            // Lengths of chunks and empty lines stand between.
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.trim_end().to_owned();
            } else if let Some(text) = line.strip_prefix("event: ") {
                kind = text.trim_end().to_owned();
            } else if let Some(text) = line.strip_prefix("data: ") {
                return Some((id, kind, text.trim_end().to_owned()));
            }
        }
    }
}
